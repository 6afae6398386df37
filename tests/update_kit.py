"""Signed updates as their tests need them: good and evil ones, made by hand as the owner of a key could.

    keys = Keys(folder)
    good = forge(folder / "good", keys.signer, image(1 << 20, 30_000))
    evil = forge(folder / "evil", keys.signer, manifest=MANIFEST.replace(...), nodes=["rootfs.ext4 s 777 0 0 /etc/shadow"])

A bundle of format "verity":

    squashfs | hash tree | CMS, which holds the manifest | length of the CMS, 8 bytes, big-endian
"""
import hashlib
import random
import subprocess

from harness import SOURCES
from pki import DAY, Authority, Pair, openssl

BLOCK = 4096
COMPATIBLE, RELEASE = "smart-connect-amd64", "0.2.0+security.2"
SALT = bytes(range(32))
# Nobody reads the copy of the manifest in the content: any bytes; RAUC takes no content of one block.
COPY = {"manifest.raucm": random.Random(0).randbytes(3 * BLOCK)}
# What a hand may change; the fields are of the content it is written for.
MANIFEST = """[update]
compatible={compatible}
version={release}

[bundle]
format=verity
verity-hash={root}
verity-salt={salt}
verity-size={tree_size}

[image.rootfs]
sha256={sha256}
size={size}
filename=rootfs.ext4
"""

# As the box's own, /etc/rauc/system.conf.
SYSTEM = f"""[system]
compatible={COMPATIBLE}
{{bootloader}}
bundle-formats=verity

[keyring]
path={{keyring}}
check-purpose=codesign
check-crl=true
"""


def slots(handler, a, b):
    """What RAUC is told of the handler, and of the devices of both slots."""
    return f"""
[handlers]
pre-install={handler}

[slot.rootfs.0]
device={a}
type=ext4
bootname=A

[slot.rootfs.1]
device={b}
type=ext4
bootname=B
"""


def image(size, filled, seed=0):
    """A root file system as far as an update is concerned: `filled` bytes that do not compress, and zeros."""
    return random.Random(seed).randbytes(filled).ljust(size, b"\0")


def tool(*command, **how):
    """Runs one, with its input if there is one; it must succeed."""
    done = subprocess.run([str(word) for word in command], capture_output=True, check=False, **how)
    assert done.returncode == 0, f"{command}: {done.stderr.decode()}"
    return done.stdout


def rauc_info(keyring, bundle):
    """What RAUC says of a bundle, by its exit status, stdout and stderr."""
    config = bundle.parent / f"{bundle.name}.conf"
    config.write_text(SYSTEM.format(keyring=keyring, bootloader="bootloader=noop"))
    done = subprocess.run(["rauc", "--conf", config, "info", "--output-format=shell", bundle], capture_output=True,
                          text=True, errors="replace", check=False)
    config.unlink()
    return done


def hash_tree(data, salt):
    """dm-verity's: the root, and the blocks of all levels, the highest first."""
    levels, blocks = [], [data[at:at + BLOCK] for at in range(0, len(data), BLOCK)]
    while not levels or len(blocks) > 1:
        hashes = b"".join(hashlib.sha256(salt + block).digest() for block in blocks)
        blocks = [hashes[at:at + BLOCK].ljust(BLOCK, b"\0") for at in range(0, len(hashes), BLOCK)]
        levels.insert(0, b"".join(blocks))
    return hashlib.sha256(salt + blocks[0]).digest(), b"".join(levels)


def squashfs(folder, files, nodes=()):
    """A file system of `files`, name -> bytes, and of what mksquashfs's pseudo definitions say."""
    content, packed = folder / "content", folder / "content.squashfs"
    content.mkdir(parents=True)
    for name, data in files.items():
        (content / name).write_bytes(data)
    pseudo = [word for node in nodes for word in ("-p", node)]
    tool("mksquashfs", content, packed, "-all-root", "-no-xattrs", "-no-progress", "-quiet", *pseudo)
    return packed.read_bytes()


def sign(manifest, signer):
    return openssl("cms", "-sign", "-nodetach", "-binary", "-nosmimecap", "-outform", "DER", "-md", "sha256",
                   "-signer", signer.certificate, "-inkey", signer.key, stdin=manifest)


def sealed(payload, cms):
    return payload + cms + len(cms).to_bytes(8, "big")


def parts(bundle):
    """payload (squashfs and tree), CMS."""
    length = int.from_bytes(bundle[-8:], "big")
    return bundle[:-8 - length], bundle[-8 - length:-8]


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1:]


def forge(path, signer, content=b"", files=None, manifest=MANIFEST, nodes=(), **fields):
    """Writes a bundle whose signature is right, whatever it says.  `content`: of the image; `files` and `nodes`: instead of
    image and release; `fields`: of the manifest, instead of what is true."""
    release = fields.get("release", RELEASE)
    if files is None:
        files = {**COPY, "rootfs.ext4": content, "release": f"{release}\n".encode()}
    data = squashfs(path.with_suffix(".parts"), files, nodes)
    root, tree = hash_tree(data, SALT)
    true = {"compatible": COMPATIBLE, "release": RELEASE, "root": root.hex(), "salt": SALT.hex(), "tree_size": len(tree),
            "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    path.write_bytes(sealed(data + tree, sign(manifest.format(**{**true, **fields}).encode(), signer)))
    return path


class Maker:
    """One maker's keys, made by tools/make-update-keys."""

    def __init__(self, folder):
        self.folder = folder / "maker"
        tool(SOURCES / "tools" / "make-update-keys", self.folder)
        self.signer, self.keyring = Pair(self.folder / "signer.pem", self.folder / "signer.key"), self.folder / "ca.pem"


class Keys:
    """A maker with keys of all kinds.  `keyring`: what a box knows, with the list of revoked ones."""

    def __init__(self, folder):
        self.folder = folder
        self.authority = Authority(folder, "A maker of updates")
        self.signer, self.revoked = self.issue("signer"), self.issue("revoked")
        self.expired, self.early = self.issue("expired", starts=-20 * DAY, ends=-DAY), self.issue("early", starts=DAY)
        self.for_mail = self.authority.issue("mail", usage="emailProtection")
        self.self_signed = self.authority.self_signed("signer", usage="codeSigning")
        self.stranger = Maker(folder).signer
        self.keyring = folder / "keyring.pem"
        self.keyring.write_text(self.authority.text() + self.revocations())

    def issue(self, name, **how):
        return self.authority.issue(name, usage="codeSigning", **how)

    def revocations(self):
        own = ("-config", self.authority.folder / "config", "-cert", self.authority.certificate, "-keyfile", self.authority.key)
        openssl("ca", *own, "-revoke", self.revoked.certificate)
        return openssl("ca", *own, "-gencrl", "-crldays", "30").decode()
