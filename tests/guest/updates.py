"""In the guest: tries to install bundles, and says in a line of JSON each what came of it.

    updates.py PLAN     JSON: "slot", "environment" and "log" (paths), "bundles" (paths); "page": {"port", "login"}, or
                        without it they are handed to RAUC itself; "how", one of HOW; "tries"

After each the slot and GRUB's environment are put back as they were.
"""
import base64
import hashlib
import http.client
import itertools
import json
import os
import pathlib
import random
import ssl
import subprocess
import sys
import threading
import time

FIRMWARE = "/api/v1/firmware"
PATIENCE_S = 60


class Kept:
    """A file that changes back."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.content = self.path.read_bytes()

    def changed(self):
        return self.path.read_bytes() != self.content

    def restore(self):
        with open(self.path, "r+b") as f:
            f.write(self.content)


class Log:
    """What RAUC's handlers say goes there, each line with a mark."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.read = self.path.stat().st_size

    def news(self):
        said = self.path.read_bytes()[self.read:]
        self.read += len(said)
        return [line[2:] for line in said.decode().splitlines() if line.startswith("# ")]


def environment(path):
    lines = pathlib.Path(path).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


class Rauc:
    def install(self, bundle):
        done = subprocess.run(["rauc", "install", bundle], capture_output=True, text=True, errors="replace", check=False)
        reasons = [line for line in done.stdout.splitlines() if line.startswith("LastError: ")]
        return {"ok": done.returncode == 0, "reason": reasons[0][len("LastError: "):] if reasons else done.stderr}


class Page:
    """As its user uploads."""

    def __init__(self, port, login):
        unverified = ssl._create_unverified_context()  # the box's own certificate
        self.connection = http.client.HTTPSConnection("127.0.0.1", port, context=unverified, timeout=PATIENCE_S)
        self.user = {"Authorization": "Basic " + base64.b64encode(f"user:{login}".encode()).decode()}

    def ask(self):
        self.connection.request("GET", FIRMWARE, headers=self.user)
        return json.loads(self.connection.getresponse().read())

    def begin(self, length):
        self.connection.putrequest("POST", FIRMWARE)
        for name, value in {**self.user, "Content-Type": "application/octet-stream", "Content-Length": length}.items():
            self.connection.putheader(name, value)
        self.connection.endheaders()

    def end(self):
        """What came of an upload, whose bytes were sent."""
        answer = self.connection.getresponse()
        said = json.loads(answer.read())
        now, end = self.ask(), time.monotonic() + PATIENCE_S
        while answer.status == 202 and now["State"] in ("checking", "installing") and time.monotonic() < end:
            time.sleep(0.15)
            now = self.ask()
        outcome = {"status": answer.status, "state": now["State"], "slots": now["Slots"]}
        if answer.status != 202:
            return {"ok": False, "reason": said["detail"], **outcome}
        return {"ok": now["Result"] is None, "reason": now["Result"] and now["Result"]["Reason"], **outcome}

    def install(self, bundle):
        content = pathlib.Path(bundle).read_bytes()
        self.begin(len(content))
        self.connection.send(content)
        return self.end()


# --- how ---------------------------------------------------------------------------------------

def each(plan, door):
    """One after another."""
    for bundle in plan["bundles"]:
        yield door.install(bundle)


def at_once(plan, door):
    """The second while the first is being sent; first the outcome of the second."""
    first, second = plan["bundles"]
    content = pathlib.Path(first).read_bytes()
    door.begin(len(content))
    door.connection.send(content[:len(content) // 2])
    other = Page(**plan["page"])
    while other.ask()["State"] != "receiving":
        time.sleep(0.05)
    yield other.install(second)
    door.connection.send(content[len(content) // 2:])
    yield door.end()


def swapped(plan, door):
    """One name, below which one bundle after another appears while it is installed."""
    name, stop = pathlib.Path("/run/swapped.raucb"), threading.Event()
    contents = [pathlib.Path(bundle).read_bytes() for bundle in plan["bundles"]]

    def swap():
        for content in itertools.cycle(contents):
            new = name.with_suffix(".new")
            new.write_bytes(content)
            new.rename(name)
            if stop.wait(random.random() / 20):
                return
    name.write_bytes(contents[0])
    racer = threading.Thread(target=swap)
    racer.start()
    for _ in range(plan["tries"]):
        yield door.install(name)
    stop.set()
    racer.join()


def rewritten(plan, door):
    """Another process of the gateway's user finds the bundle, and changes bytes in it, and back, until one is installed."""
    bundle, = plan["bundles"]
    racer = subprocess.Popen(["setpriv", "--reuid=smart-connect", "--regid=smart-connect", "--clear-groups", sys.executable,
                              "-B", pathlib.Path(__file__).with_name("rewrite.py"), plan["pid"], str(os.stat(bundle).st_size)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    racer.stdout.readline()
    for _ in range(plan["tries"]):
        outcome = door.install(bundle)
        racer.stdin.write("\n")
        racer.stdin.flush()
        yield {**outcome, "racer": json.loads(racer.stdout.readline())}
        if outcome["ok"]:
            break
    racer.stdin.close()
    racer.wait()


HOW = {how.__name__: how for how in (each, at_once, swapped, rewritten)}


def main():
    plan = json.loads(pathlib.Path(sys.argv[1]).read_text())
    door = Page(**plan["page"]) if "page" in plan else Rauc()
    slot, variables, log = Kept(plan["slot"]), Kept(plan["environment"]), Log(plan["log"])
    for outcome in HOW[plan["how"]](plan, door):
        content = slot.path.read_bytes()
        outcome |= {"written": content != slot.content, "sha256": hashlib.sha256(content[:plan["image_size"]]).hexdigest(),
                    "rest_kept": content[plan["image_size"]:] == slot.content[plan["image_size"]:],
                    "handler": log.news(), "variables": environment(plan["environment"])}
        for kept in (slot, variables):
            kept.restore()
        print(json.dumps(outcome), flush=True)


main()
