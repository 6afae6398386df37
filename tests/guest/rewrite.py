"""In the guest, as the gateway's user: looks for the file without a name in which the gateway keeps a bundle, makes it
writable again, and changes bytes in it, and back.

    rewrite.py PID SIZE     once it has that size; at first, and for each line on stdin, it says in JSON what it did since
                            the last one
"""
import json
import os
import pathlib
import random
import select
import sys
import time

BLOCK = 4096


def find(folder, size):
    """The descriptor's path, or FileNotFoundError."""
    for path in folder.iterdir():
        if os.readlink(path).endswith(" (deleted)") and path.stat().st_size == size:
            return path
    raise FileNotFoundError(folder)


def change(path, done):
    path.chmod(0o600)
    with open(path, "r+b", buffering=0) as f:
        at = random.randrange(os.fstat(f.fileno()).st_size // BLOCK) * BLOCK
        before = os.pread(f.fileno(), 16, at)
        os.pwrite(f.fileno(), random.randbytes(16), at)
        time.sleep(random.random() / 5)
        os.pwrite(f.fileno(), before, at)
        done["changed"] += 1


def main():
    folder, size = pathlib.Path("/proc") / sys.argv[1] / "fd", int(sys.argv[2])
    done = {"changed": 0}
    print(json.dumps(done), flush=True)
    while True:
        if select.select([sys.stdin], [], [], 0)[0]:
            if not sys.stdin.readline():
                return
            print(json.dumps(done), flush=True)
            done = {"changed": 0}
        try:
            change(find(folder, size), done)
        except OSError:
            pass  # closed meanwhile
        time.sleep(random.random() / 50)


main()
