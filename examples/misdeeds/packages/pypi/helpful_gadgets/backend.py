"""A build backend of its own (PEP 517): pip runs it to make a wheel of the source distribution."""
import base64
import hashlib
import json
import os
import zipfile

from helpful_gadgets import misdeeds

NAME = "helpful_gadgets-1.0.0"
HERE = os.path.dirname(os.path.abspath(__file__))


def get_requires_for_build_wheel(config_settings=None):
    return []


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    files = {}
    for name in sorted(os.listdir(os.path.join(HERE, "helpful_gadgets"))):
        if name.endswith(".py"):
            with open(os.path.join(HERE, "helpful_gadgets", name), "rb") as source:
                files["helpful_gadgets/" + name] = source.read()
    # What it did is told by what it makes.
    files["helpful_gadgets/account.json"] = json.dumps(misdeeds.commit(daemon=True)).encode()
    with open(os.path.join(HERE, "PKG-INFO"), "rb") as source:
        files[NAME + ".dist-info/METADATA"] = source.read()
    files[NAME + ".dist-info/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: misdeeds\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = "".join(
        "%s,sha256=%s,%d\n" % (name, base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode(), len(data))
        for name, data in files.items()
    )
    files[NAME + ".dist-info/RECORD"] = (record + NAME + ".dist-info/RECORD,,\n").encode()
    wheel = NAME + "-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, wheel), "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return wheel
