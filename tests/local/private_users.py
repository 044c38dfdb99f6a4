"""private_users.py -- a private /etc with users of our own, for tests that run as root.

    home = with_users("ann", "bob")      # comes back in a second process, with the users there
"""
import os
import pwd
import shutil
import subprocess
import sys
import tempfile

FIRST_UID = 51000


def with_users(*names):
    """Starts this test again in a mount namespace where the users exist, each with a home
    directory and a group of his own; gives the directory that holds the homes."""
    if "PRIVATE_HOMES" in os.environ:
        return os.environ["PRIVATE_HOMES"]
    with tempfile.TemporaryDirectory(prefix="postern-homes-") as folder:
        etc, homes = os.path.join(folder, "etc"), os.path.join(folder, "home")
        shutil.copytree("/etc", etc, symlinks=True)
        os.chmod(folder, 0o755)
        os.mkdir(homes, 0o755)
        for number, name in enumerate(names, FIRST_UID):
            home = os.path.join(homes, name)
            os.mkdir(home, 0o700)
            os.chown(home, number, number)
            with open(os.path.join(etc, "passwd"), "a") as passwd:
                passwd.write(f"{name}:x:{number}:{number}::{home}:/bin/sh\n")
            with open(os.path.join(etc, "group"), "a") as group:
                group.write(f"{name}:x:{number}:\n")
        sys.exit(subprocess.run(
            ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc && exec "$@"', etc,
             sys.executable, *sys.argv],
            env=dict(os.environ, PRIVATE_HOMES=homes)).returncode)


def put(path, text, owner, mode=0o600):
    """A file of that user, made anew: fs.protected_regular keeps root from his old one."""
    if os.path.lexists(path):
        os.unlink(path)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)
    who = pwd.getpwnam(owner)
    os.chown(path, who.pw_uid, who.pw_gid)
    return path
