#!/usr/bin/env python3
"""The Debian packages: built offline, without an error of lintian's; Debian's postfix, set up and
with mail in its queue, is replaced by them and replaces them again, with /etc/postfix and the
queue kept both times; an upgrade goes on in the running process; and a purge takes no mail along,
and nothing that another mail system uses."""
import glob
import os
import re
import subprocess
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import check, check_equal, check_match, finish, is_root, skip, wait_until
from root import CLEAN, POSTFIX_SETTINGS, Root, built, debian_postfix, debs

MODULES = "ldap mysql pgsql sqlite".split()
PACKAGES = ["postern", "postern-canary", "postfix", *(f"postern-{name}" for name in MODULES)]
# What `systemd-analyze security` says of the units; it may become less.
EXPOSURE = {"postfix.service": 3.6, "postfix.service with closed.conf": 2.6}


def field(deb, name):
    return subprocess.run(["dpkg-deb", "-f", deb, name], text=True, check=True,
                          capture_output=True).stdout.strip()


def contents(deb):
    """{path: (mode, owner)}"""
    text = subprocess.run(["dpkg-deb", "-c", deb], text=True, check=True,
                          capture_output=True).stdout
    return {line.split()[5][1:]: tuple(line.split()[:2]) for line in text.splitlines()}


def packages_are_well_made(folder):
    for name in PACKAGES:
        deb = debs(folder, name)[0]
        listing = contents(deb)
        check(not any("/debconf" in path or path == "/etc/" for path in listing),
              f"{name}: no conffiles, no debconf")
        modules = [os.path.basename(path) for path in listing if path.endswith(".so")]
        if name == "postern":
            check_equal(modules, [], "postern: modules have packages of their own")
            check("mail-transport-agent" in field(deb, "Provides"), "postern is an MTA")
            check("mail-transport-agent" in field(deb, "Conflicts"), "postern is the only MTA")
            for library in "libldap", "libmariadb", "libpq", "libsqlite3":
                check(library not in field(deb, "Depends"), f"postern does not need {library}")
        elif name == "postern-canary":
            check_equal(len(modules), len(MODULES), "the canary has all modules")
            check("mail-transport-agent" not in field(deb, "Provides"), "the canary is beside")
            check(not field(deb, "Conflicts"), "the canary conflicts with nobody")
        elif name != "postfix":
            check_equal(modules, [f"table-{name[8:]}.so"], f"{name}: its module")


def lintian_finds_no_error(folder):
    done = subprocess.run(["lintian", "--fail-on", "error", "--allow-root",
                           *glob.glob(f"{folder}/*.changes")],
                          text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    check_equal(done.returncode, 0, f"lintian: {done.stdout}")
    check(not re.search(r"^E: ", done.stdout, re.M), f"lintian: {done.stdout}")


def exposure(unit):
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", unit],
                          text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    found = check_match(r"Overall exposure level for \S+: ([\d.]+)", done.stdout, unit)
    check(not re.search("[Uu]nknown|ignoring", done.stdout), f"{unit}: {done.stdout[-500:]}")
    return float(re.search(r"level for \S+: ([\d.]+)", done.stdout)[1]) if found else 10


def units_have_walls(root):
    text = root.read("/lib/systemd/system/postfix.service")
    more = root.read("/usr/share/doc/postern/examples/postfix.service.d/closed.conf")
    for name, lines in zip(EXPOSURE, (text, text + more)):
        root.write("/tmp/postfix.service", lines)
        got = exposure(f"{root.path}/tmp/postfix.service")
        check(got <= EXPOSURE[name], f"{name}: exposure {got}, at most {EXPOSURE[name]}")


def allowed_calls(unit):
    """The system calls of SystemCallFilter, groups taken apart."""
    known, groups = set(), {}
    text = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager"], text=True,
                          check=True, capture_output=True).stdout
    group = None
    for line in text.splitlines():
        if line.startswith("@"):
            group = groups.setdefault(line.strip(), [])
        elif group is not None and line.startswith("    ") and "#" not in line:
            group.append(line.strip())
    todo = [word for line in re.findall(r"^SystemCallFilter=(.*)", unit, re.M)
            for word in line.split()]
    while todo:
        word = todo.pop()
        if word.startswith("@"):
            todo += groups[word]
        else:
            known.add(word)
    return known


def unit_allows_what_is_done(root):
    """Every system call of start, mail to a mailbox, a command and the network, and stop."""
    trace = f"{root.home}/trace"
    root.write("/etc/aliases", 'postmaster: root\ncommand: "|cat >/dev/null"\n')
    root.run("newaliases")
    running = subprocess.Popen(["strace", "-f", "-qq", "-o", trace, "chroot", root.path, "postern",
                                "start-fg"], env=CLEAN, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    root.listens()
    for name in "ann", "command", "someone@else.example":
        root.send(name if "@" in name else f"{name}@mail.test.example", f"traced {name}")
    root.has_subject("traced ann")
    for outcome in "to=<command@.*status=sent", "to=<someone@else.example>.*status=deferred":
        wait_until(lambda: re.search(outcome, root.log.text), outcome)
    root.stop()
    running.wait(60)
    with open(trace, errors="replace") as file:
        made = set(re.findall(r"^\d+ +(\w+)\(", file.read(), re.M))
    check("landlock_restrict_self" in made and "seccomp" in made, "the jail was entered")
    unit = root.read("/lib/systemd/system/postfix.service")
    # clone3 and unshare are RestrictNamespaces', which looks at their arguments.
    check_equal(sorted(made - allowed_calls(unit)), [], "calls that the unit forbids")


# ---- replacing and being replaced ----

def configuration(root):
    return {name: root.read(f"/etc/postfix/{name}") for name in ("main.cf", "master.cf")}


def postfix_with_mail(root):
    """Running, with a message that waits and one that is held; the queue."""
    root.install_postfix()
    root.run("postfix", "start")
    root.listens()
    root.send("ann@mail.test.example", "by Postfix")
    root.has_subject("by Postfix")
    waits, held = (root.send(f"{name}@else.example", name) for name in ("waits", "held"))
    root.run("postsuper", "-h", held)
    wait_until(lambda: {waits, held} <= set(root.queue()), "two messages in the queue")
    return root.queue()


def start_in_foreground(root):
    root.run("systemctl", "start", "postfix")
    check_match("ESMTP Postern", root.listens(), "Postern greets")


def replaces_postfix(root, folder, queue):
    before, master = configuration(root), root.master()
    root.install(*debs(folder, "postern", "postfix"))
    check(master and not root.master(), "Postfix was stopped")
    check_equal(configuration(root), before, "main.cf and master.cf")
    # Postfix's own package had noted 2555 for them.
    check_equal(root.run("stat", "-c", "%a %U:%G", "/usr/sbin/postdrop", "/usr/sbin/postqueue"),
                "2555 root:postdrop\n" * 2, "set-gid commands")
    start_in_foreground(root)
    check_equal(root.queue(), queue, "Postfix's queue")
    root.send("ann@mail.test.example", "by Postern")
    root.has_subject("by Postern")
    root.run("sendmail", "ann", stdin="Subject: by its sendmail\n\nHello.\n", user="ann")
    root.has_subject("by its sendmail")


def upgrades_in_place(root, folder):
    master = root.master()
    root.run("dpkg", "-i", *root.packages(*debs(folder, "postern")))
    check_equal(root.master(), master, "an upgrade goes on in the same process")
    check_match("ESMTP Postern", root.listens(), "and serves")


def gets_a_module(root, folder):
    root.install(*debs(folder, "postern-sqlite"))
    check("sqlite" in root.run("postconf", "-m").split(), "sqlite: is there with its package")


def is_replaced(root, queue):
    root.run("apt-get", "remove", "-y", "postern-sqlite")
    before = configuration(root)
    root.install(debian_postfix())
    check(not root.master(), "Postern was stopped")
    check_equal(configuration(root), before, "main.cf and master.cf")
    root.run("postfix", "start")
    check_match("ESMTP Postfix", root.listens(), "Postfix greets")
    check_equal(sorted(root.queue().values()), sorted(queue.values()), "the queue")


def purge_of_the_replaced(root, queue):
    """Of a Postern that Postfix has replaced nothing is left to be purged."""
    before = configuration(root)
    # What deb-systemd-helper knows of the unit; a purge of it would disable it.
    enabled = "/var/lib/systemd/deb-systemd-helper-enabled/postfix.service.dsh-also"
    check(root.exists(enabled), "Postfix starts at boot")
    root.run("dpkg", "--purge", "postern")
    check_equal(configuration(root), before, "main.cf and master.cf")
    check(root.exists(enabled), "Postfix starts at boot, still")
    check_equal(root.run("stat", "-c", "%a %U:%G", "/usr/sbin/postdrop", "/usr/sbin/postqueue"),
                "2555 root:postdrop\n" * 2, "Postfix's set-gid commands")
    check_equal(sorted(root.queue().values()), sorted(queue.values()), "the queue")


def purge(root, folder):
    root.install(*debs(folder, "postern", "postfix"))
    start_in_foreground(root)
    text = root.run("apt-get", "purge", "-y", "postern", "postfix")
    check(not root.master(), "stopped")
    check_match("there is mail in /var/spool/postfix: it stays", text, "purge says so")
    files = root.run("find", "/var/spool/postfix/deferred", "/var/spool/postfix/hold", "-type",
                     "f").split()
    check_equal(len(files), 2, "both messages are there, in Postfix's files")

    root.install(*debs(folder, "postern", "postfix"))
    start_in_foreground(root)
    check_equal(len(root.queue()), 2, "and come back with the package")
    root.run("postsuper", "-d", "ALL")
    root.run("apt-get", "purge", "-y", "postern", "postfix")
    check(not root.exists("/var/spool/postfix"), "an empty queue is purged")


def installs_alone(root, folder):
    """Where no mail system was."""
    root.install(*debs(folder, "postern", "postfix"))
    start_in_foreground(root)
    check_equal(root.run("stat", "-c", "%a %U:%G", "/usr/sbin/postdrop", "/usr/sbin/postqueue"),
                "2755 root:postdrop\n" * 2, "set-gid commands")
    root.send("ann@localhost", "the first")
    root.has_subject("the first")
    root.stop()
    for setting in POSTFIX_SETTINGS:
        root.run("postconf", "-e", setting)
    unit_allows_what_is_done(root)


if not is_root():
    skip("needs root")
packages = built()
packages_are_well_made(packages)
lintian_finds_no_error(packages)
with Root() as here:
    waiting = postfix_with_mail(here)
    replaces_postfix(here, packages, waiting)
    units_have_walls(here)
    upgrades_in_place(here, packages)
    gets_a_module(here, packages)
    is_replaced(here, waiting)
    purge_of_the_replaced(here, waiting)
    purge(here, packages)
    installs_alone(here, packages)
finish()
