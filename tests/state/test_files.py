"""Files are written whole or not at all, whoever dies, and beside others that write."""

import contextlib
import errno
import fcntl
import os
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from interruptions import Interrupted, pressed, raised

from gluon_lr.state import files
from gluon_lr.state.files import write_whole

HEX = "0123456789abcdef"  # as the part of a partial file's name that is drawn


def writing(content):
    return lambda name: Path(name).write_bytes(content)


def put(name, content=b"old"):
    path = Path(name)
    path.write_bytes(content)
    return path


def test_a_file_is_made_and_replaced_and_nothing_else_stays():
    for content in (b"first", b"second", b""):
        write_whole("run", writing(content))
        assert Path("run").read_bytes() == content
    assert os.listdir() == ["run"]


def test_the_name_while_it_is_written_is_hidden_and_beside_the_file():
    os.mkdir("folder")
    names = []
    write_whole("folder/run", names.append)
    write_whole(Path("folder/run"), names.append)
    for name in names:
        assert Path(name).parent == Path("folder").absolute()
        assert Path(name).name.startswith(".run.")
        assert name.endswith(".partial")
    assert names[0] != names[1]


@pytest.mark.parametrize("letter", ["x", "ü", "人"])
def test_a_name_as_long_as_a_name_can_be(letter):
    name = letter * (255 // len(letter.encode()))
    write_whole(name, writing(b"new"))
    partials = []
    write_whole(name, partials.append)
    partials[0].encode()  # MXNet takes nothing but UTF-8
    assert os.listdir() == [name]


# -- the place ---------------------------------------------------------------------------------


def test_a_relative_path_counts_from_the_directory_at_the_call():
    def write(name):
        os.mkdir("elsewhere")
        os.chdir("elsewhere")
        Path(name).write_bytes(b"new")

    home = Path.cwd()
    write_whole("run", write)
    assert (home / "run").read_bytes() == b"new"
    assert os.listdir() == []


@pytest.mark.parametrize("exists", [True, False])
def test_a_symlink_stays_and_what_it_leads_to_is_replaced(exists):
    os.mkdir("disk")
    if exists:
        put("disk/real")
    os.symlink("real", "disk/second")
    os.symlink("disk/second", "run")
    write_whole("run", writing(b"new"))
    assert os.readlink("run") == "disk/second"
    assert os.readlink("disk/second") == "real"
    assert Path("disk/real").read_bytes() == b"new"
    assert sorted(os.listdir("disk")) == ["real", "second"]


def test_links_in_a_circle_are_the_error_of_the_system():
    os.symlink("a", "b")
    os.symlink("b", "a")
    with pytest.raises(OSError, match="a") as caught:
        write_whole("a", pytest.fail)
    assert caught.value.errno == errno.ELOOP


def test_what_is_no_regular_file_is_written_straight_into():
    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_whole("pipe", writing(b"new"))
    assert os.read(reader, 9) == b"new"
    os.close(reader)
    names = []
    write_whole("pipe", names.append)
    assert names == [str(Path("pipe").absolute())]
    write_whole("/dev/null", writing(b"new"))
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert os.listdir() == ["pipe"]


def test_a_folder_is_refused_before_anything_is_written():
    os.mkdir("folder")
    for path in ("folder", "folder/", ".", ""):
        with pytest.raises(IsADirectoryError):
            write_whole(path, pytest.fail)
    put("file")
    with pytest.raises(NotADirectoryError):
        write_whole("file/run", pytest.fail)
    with pytest.raises(FileNotFoundError, match=r"/missing'$"):
        write_whole("missing/run", pytest.fail)
    os.symlink("missing/run", "link")
    with pytest.raises(FileNotFoundError, match=r"/missing'$"):
        write_whole("link", pytest.fail)


# -- the mode ----------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o640, 0o600, 0o666, 0o444])
def test_a_file_keeps_its_mode_and_no_one_else_reads_the_new_one_before(mode):
    put("run").chmod(mode)

    def write(name):
        assert stat.S_IMODE(os.stat(name).st_mode) & ~mode & 0o077 == 0
        Path(name).write_bytes(b"new")

    write_whole("run", write)
    assert stat.S_IMODE(os.stat("run").st_mode) == mode
    assert Path("run").read_bytes() == b"new"


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_mode_of_any_new_file(mask):
    before = os.umask(mask)
    try:
        write_whole("run", writing(b"new"))
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat("run").st_mode) == 0o666 & ~mask


def test_a_file_keeps_its_group_where_that_is_allowed(monkeypatch):
    asked = []

    def chown(file, user, group):
        asked.append((user, group))
        raise PermissionError(errno.EPERM, "not in that group")

    monkeypatch.setattr(files.os, "chown", chown)
    put("run").chmod(0o640)
    write_whole("run", writing(b"new"))
    assert asked == [(-1, os.stat("run").st_gid)]
    assert stat.S_IMODE(os.stat("run").st_mode) == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to any group")
def test_a_file_of_another_group_stays_in_it():
    put("run")
    os.chown("run", -1, 12345)
    write_whole("run", writing(b"new"))
    assert os.stat("run").st_gid == 12345


# -- what goes wrong ---------------------------------------------------------------------------


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemExit])
def test_an_error_while_it_is_written_leaves_the_old_one(error):
    def write(name):
        Path(name).write_bytes(b"half")
        raise error

    for expected in ([], ["run"]):
        with pytest.raises(error):
            write_whole("run", write)
        assert os.listdir() == expected
        put("run")
    assert Path("run").read_bytes() == b"old"


@pytest.mark.parametrize("step", ["fsync", "replace", "chmod"])
def test_a_full_disk_leaves_the_old_one(step, monkeypatch):
    def fail(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    put("run")
    with monkeypatch.context() as patch:
        patch.setattr(files.os, step, fail)
        with pytest.raises(OSError, match="No space left"):
            write_whole("run", writing(b"new"))
    assert os.listdir() == ["run"]
    assert Path("run").read_bytes() == b"old"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has it")
def test_the_error_of_a_full_device_is_the_callers():
    with pytest.raises(OSError, match="No space left"):
        write_whole("/dev/full", writing(b"new"))


@pytest.mark.parametrize(("number", "raised"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_only_a_file_system_that_cannot_sync_folders_may_fail_to(number, raised, monkeypatch):
    def fsync(file):
        if stat.S_ISDIR(os.fstat(file).st_mode):
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files.os, "fsync", fsync)
    with pytest.raises(OSError, match="Input/output") if raised else contextlib.nullcontext():
        write_whole("run", writing(b"new"))
    assert Path("run").read_bytes() == b"new"


def test_the_file_and_its_new_name_are_on_the_disk_before_it_returns(monkeypatch):
    steps = []
    kinds = {stat.S_IFREG: "sync of the file", stat.S_IFDIR: "sync of the folder"}
    replace = os.replace
    monkeypatch.setattr(
        files.os, "fsync", lambda file: steps.append(kinds[stat.S_IFMT(os.fstat(file).st_mode)])
    )
    monkeypatch.setattr(
        files.os, "replace", lambda *names: (steps.append("replace"), replace(*names))
    )
    write_whole("run", writing(b"new"))
    assert steps == ["sync of the file", "replace", "sync of the folder"]


def test_no_file_stays_open():
    before = os.listdir("/dev/fd")
    put("run")
    put(f".run.{HEX}.partial")
    write_whole("run", writing(b"new"))
    with pytest.raises(ZeroDivisionError):
        write_whole("run", lambda name: 1 / 0)
    assert len(os.listdir("/dev/fd")) == len(before)


# -- others that write -------------------------------------------------------------------------

WAIT = """
import runpy, sys
write_whole = runpy.run_path({module!r})["write_whole"]
def write(name):
    with open(name, "wb") as file:
        file.write(b"half")
    print("writing", flush=True)
    sys.stdin.read()
write_whole("run", write)
"""


@contextlib.contextmanager
def another_process():
    """Start a process that is within `write` until its input ends."""
    code = WAIT.format(module=files.__file__)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"writing\n"
        yield process


def test_what_a_killed_writer_left_is_removed_by_the_next_one():
    put("run")
    with another_process() as killed:
        killed.kill()
    assert Path("run").read_bytes() == b"old"
    assert len(os.listdir()) == 2
    write_whole("run", writing(b"new"))
    assert os.listdir() == ["run"]


def test_what_a_living_writer_has_is_left_to_it():
    with another_process() as living:
        write_whole("run", writing(b"new"))
        assert Path("run").read_bytes() == b"new"
        living.stdin.close()
        assert living.wait() == 0
    assert Path("run").read_bytes() == b"half"
    assert os.listdir() == ["run"]


def test_a_writer_within_a_writer():
    def write(name):
        Path(name).write_bytes(b"outer")
        write_whole("run", writing(b"inner"))
        assert Path("run").read_bytes() == b"inner"

    write_whole("run", write)
    assert Path("run").read_bytes() == b"outer"
    assert os.listdir() == ["run"]


def test_only_partial_files_of_this_path_are_removed():
    theirs = [
        ".run.notes.partial",
        f".run2.{HEX}.partial",
        f".run.{HEX}.partial.bak",
        f"run.{HEX}.partial",
        ".run.0123456789ABCDEF.partial",
    ]
    for name in (*theirs, f".run.{HEX}.partial"):
        put(name)
    os.mkdir(f".run.{HEX[::-1]}.partial")
    write_whole("run", writing(b"new"))
    assert sorted(os.listdir()) == sorted([*theirs, f".run.{HEX[::-1]}.partial", "run"])


def test_a_new_partial_file_that_another_writer_removed_is_made_again(monkeypatch):
    flock = fcntl.flock
    made = []

    def late(file, how):
        made.extend(set(os.listdir()) - set(made))
        if len(made) == 1:
            os.unlink(made[0])
        flock(file, how)

    monkeypatch.setattr(files.fcntl, "flock", late)
    write_whole("run", writing(b"new"))
    assert len(made) == 2
    assert os.listdir() == ["run"]


def test_without_locks_no_partial_file_is_removed(monkeypatch):
    def flock(file, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(files.fcntl, "flock", flock)
    put(f".run.{HEX}.partial")
    write_whole("run", writing(b"new"))
    assert sorted(os.listdir()) == [f".run.{HEX}.partial", "run"]


def replacing(name):
    """Write as safetensors does: into a file of its own, which it then moves there."""
    put("other", b"new")
    os.replace("other", name)


def test_write_may_put_another_file_in_the_place_of_its_own():
    put("run").chmod(0o640)
    write_whole("run", replacing)
    assert Path("run").read_bytes() == b"new"
    assert stat.S_IMODE(os.stat("run").st_mode) == 0o640
    with pytest.raises(FileNotFoundError):
        write_whole("run", os.unlink)
    assert os.listdir() == ["run"]


@pytest.mark.parametrize("interrupt", [raised, pressed])
@pytest.mark.parametrize("write", [writing(b"new"), replacing])
def test_interrupted_anywhere_it_is_ctrl_c_and_one_of_the_two(write, interrupt):
    put("run")
    call = Interrupted(lambda: write_whole("run", write), "write_whole")
    found = set()
    for place in call.places():
        put("run")
        assert call.at(place, interrupt)
        assert os.listdir() == ["run"]
        found.add(Path("run").read_bytes())
    assert found == {b"old", b"new"}


def test_who_reads_while_others_write_reads_a_whole_file():
    put("run", b"0" * 5000)
    done = threading.Event()

    def write(letter):
        for length in range(5000, 5050):
            write_whole("run", writing(letter * length))

    def read():
        count = 0
        while not done.is_set():
            content = Path("run").read_bytes()
            assert len(content) >= 5000
            assert len(set(content)) == 1
            count += 1
        return count

    with ThreadPoolExecutor(4) as pool:
        reader = pool.submit(read)
        try:
            list(pool.map(write, (b"a", b"b", b"c")))
        finally:
            done.set()
    assert reader.result() > 0
    assert os.listdir() == ["run"]
