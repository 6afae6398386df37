"""What the appliance has for its boot loader: the program that changes the variables for RAUC, which no power cut may lose;
and the scripts."""
import re
import shutil
import subprocess

import pytest

from harness import SOURCES

IMAGE = SOURCES / "packaging" / "image"
PROGRAM = IMAGE / "overlay" / "usr" / "lib" / "smart-connect" / "image" / "bin" / "grub-editenv"
REAL = "/usr/bin/grub-editenv"
SECTOR = 512
FULL = ["ORDER=B A", "A_OK=1", "A_TRY=3", "B_OK=1", "B_TRY=3"]

pytestmark = pytest.mark.skipif(not shutil.which(REAL), reason="no grub-editenv: run ./bootstrap test")


def listed(file):
    return subprocess.run([REAL, file, "list"], capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.fixture
def env(tmp_path):
    file = tmp_path / "grubenv"
    subprocess.run([REAL, file, "create"], check=True)
    subprocess.run([REAL, file, "set", *FULL], check=True)
    return file


def test_it_lists_and_sets_like_the_real_one(env):
    assert subprocess.run([PROGRAM, env, "list"], capture_output=True, text=True, check=True).stdout.splitlines() == FULL
    subprocess.run([PROGRAM, env, "set", "B_OK=0", "ORDER=A B"], check=True)
    assert listed(env) == ["ORDER=A B", "A_OK=1", "A_TRY=3", "B_OK=0", "B_TRY=3"]
    subprocess.run([PROGRAM, env, "unset", "B_OK"], check=True)
    assert listed(env) == ["ORDER=A B", "A_OK=1", "A_TRY=3", "B_TRY=3"]


def test_all_that_is_ever_written_is_in_the_first_sector(env):
    """Behind it there is filling alone, before and after."""
    before = env.read_bytes()
    subprocess.run([PROGRAM, env, "set", "ORDER=A B", "A_TRY=0"], check=True)
    after = env.read_bytes()
    assert len(before) == len(after) == 2 * SECTOR and before != after
    assert before[SECTOR:] == after[SECTOR:] == b"#" * SECTOR


def test_the_file_is_overwritten_in_one_write_and_synced(env, tmp_path):
    if not shutil.which("strace"):
        pytest.skip("no strace: run ./bootstrap test")
    trace, inode = tmp_path / "trace", env.stat().st_ino
    subprocess.run(["strace", "-f", "-y", "-o", trace, "-e", "trace=openat,write,ftruncate,fsync,fdatasync,rename,renameat2",
                    PROGRAM, env, "set", "A_TRY=0"], check=True)
    calls = [line for line in trace.read_text().splitlines() if str(env) in line]
    assert env.stat().st_ino == inode
    assert not [call for call in calls if "O_TRUNC" in call or re.search(r"ftruncate|rename", call)], calls
    writes = [call for call in calls if " write(" in call]
    assert len(writes) == 1 and writes[0].endswith(f"= {2 * SECTOR}"), calls
    assert re.search(r"fsync\(.*= 0$", calls[-1]), calls


@pytest.mark.parametrize("content", [b"", b"rubbish" * 100])
def test_what_is_no_block_of_variables_stays_as_it_is(env, content):
    env.write_bytes(content)
    assert subprocess.run([PROGRAM, env, "set", "A_TRY=0"], capture_output=True, check=False).returncode != 0
    assert env.read_bytes() == content


@pytest.mark.parametrize("script", ["grub.cfg", "overlay/boot/grub.cfg"])
def test_the_scripts_of_the_boot_loader_can_be_read(script):
    subprocess.run(["grub-script-check", IMAGE / script], check=True)
