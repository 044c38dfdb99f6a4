#!/usr/bin/env python3
"""Each layout, configured and built as a packager does it: DESTDIR holds everything and the
prefix nothing; names, places and modes; the hardening that the binaries really have; then
`make install`, and the installed tree takes mail by SMTP and by its sendmail, and delivers
it."""
import os
import pwd
import re
import shutil
import stat
import subprocess
import sys
import tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import (Smtp, check, check_equal, check_match, finish, free_port, is_root,
                     wait_until)

SOURCE = os.environ.get("TOP_SRCDIR", os.path.join(os.path.dirname(__file__), "..", ".."))
ME = pwd.getpwuid(os.geteuid()).pw_name
WRITER = "nobody" if is_root() else ME  # who sends with sendmail, and whose the mailbox is
COMMANDS = """mailq newaliases postalias postauth postcat postconf postdrop postern postfix postkick
    postlock postlog postmap postmulti postqueue postsuper posttls-finger qshape sendmail""".split()
SETGID = ("postdrop", "postqueue")
DAEMONS = """bounce broker cleanup discard dns error local master pickup qmgr showq smtp smtpd
    spool virtual""".split()
PLACES = {  # design: names and places; below the prefix
    "postern": {"config_directory": "etc/postern", "queue_directory": "var/spool/postern",
                "data_directory": "var/lib/postern", "daemon_directory": "usr/libexec/postern"},
    "postfix": {"config_directory": "etc/postfix", "queue_directory": "var/spool/postfix",
                "data_directory": "var/lib/postfix", "daemon_directory": "usr/lib/postfix/sbin"},
}


def make(build, *arguments):
    p = subprocess.run(["make", "-s", f"-j{os.cpu_count()}", *arguments], cwd=build, text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return check(p.returncode == 0, f"make {' '.join(arguments)}: {p.stdout[-2000:]}")


def configure(build, prefix, *options):
    os.mkdir(build)
    p = subprocess.run([f"{SOURCE}/configure", "-q", f"--prefix={prefix}/usr",
                        f"--sysconfdir={prefix}/etc", f"--localstatedir={prefix}/var", *options],
                       cwd=build, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return check(p.returncode == 0, f"configure: {p.stdout[-2000:]}")


def tree(top):
    """{path below top: mode}; a link's is where it points."""
    found = {}
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            found[os.path.relpath(path, top)] = (
                os.readlink(path) if os.path.islink(path) else stat.S_IMODE(os.stat(path).st_mode))
    return found


# ---- what was installed ----

def check_tree(files, layout):
    places = PLACES[layout]
    sbin = {os.path.basename(p): mode for p, mode in files.items() if p.startswith("usr/sbin/")}
    check_equal(sorted(sbin), COMMANDS, f"{layout}: commands")
    daemons = [p for p in files if os.path.dirname(p) == places["daemon_directory"]]
    check(set(DAEMONS) <= {os.path.basename(p) for p in daemons}, f"{layout}: daemons")
    for name in ("main.cf", "master.cf"):
        check_equal(files.get(f"{places['config_directory']}/{name}"), 0o644, f"{layout}: {name}")
    check_equal(files.get(f"usr/lib/systemd/system/{layout}.service"), 0o644, f"{layout}: unit")
    for kind in "service", "timer":
        check_equal(files.get(f"usr/lib/systemd/system/{layout}-reports.{kind}"), 0o644,
                    f"{layout}: the {kind} of reports")
    check_equal(files.get(f"usr/lib/sysusers.d/{layout}.conf"), 0o644, f"{layout}: users")
    check("usr/share/man/man8/master.8" in files, f"{layout}: manuals")
    check_equal((sbin["postfix"], sbin["mailq"], sbin["newaliases"]),
                ("postern", "sendmail", "sendmail"), f"{layout}: links")
    for path, mode in files.items():
        if isinstance(mode, str):
            continue
        if is_root() and os.path.basename(path) in SETGID:
            want = 0o2755
        else:
            want = 0o755 if os.path.dirname(path) in ("usr/sbin", places["daemon_directory"]) \
                else 0o644
        check_equal(oct(mode), oct(want), f"{layout}: mode of {path}")


def readelf(path, *options):
    return subprocess.run(["readelf", "-W", *options, path], text=True, capture_output=True,
                          check=True, env=dict(os.environ, LC_ALL="C")).stdout


def check_hardening(path):
    name = os.path.basename(path)
    is_module = name.endswith(".so")  # no executable, and perhaps too small to need FORTIFY
    head = readelf(path, "-h", "-l", "-d")
    check_match(r"Type:\s+DYN", head, f"{name}: position-independent")
    check(is_module or re.search(r"Flags:.*\bPIE\b", head), f"{name}: PIE")
    check_match(r"GNU_RELRO", head, f"{name}: RELRO")
    check_match(r"Flags:.*\bNOW\b", head, f"{name}: all of it, bound at the start")
    check_match(r"GNU_STACK(?:\s+0x\w+){5}\s+RW ", head, f"{name}: no code on the stack")
    check("RPATH" not in head and "RUNPATH" not in head, f"{name}: no path to libraries")
    imports = readelf(path, "--dyn-syms")
    check_match(r"UND __stack_chk_fail", imports, f"{name}: stack protector")
    check(is_module or re.search(r"UND __\w+_chk\b", imports), f"{name}: FORTIFY")
    check("UND strcpy" not in imports, f"{name}: no strcpy")
    flags = readelf(path, "--debug-dump=info")
    check_match(r"DW_AT_producer.*-fstack-clash-protection", flags, f"{name}: stack clash")


# ---- what was installed, at work ----

class Site:
    """One installed tree with a few settings of its own."""

    def __init__(self, prefix, layout):
        self.prefix, self.layout = prefix, layout
        self.etc = f"{prefix}/{PLACES[layout]['config_directory']}"
        self.port, self.mail = free_port(), f"{prefix}/mail"
        self.log = f"{prefix}/var/log/mail.log"
        os.makedirs(self.mail)
        os.makedirs(os.path.dirname(self.log), exist_ok=True)
        who = pwd.getpwnam(WRITER)
        os.chown(self.mail, who.pw_uid, who.pw_gid)
        with open(f"{self.etc}/master.cf") as f:
            text = f.read()
        with open(f"{self.etc}/master.cf", "w") as f:
            f.write(re.sub(r"^smtp +inet", f"127.0.0.1:{self.port} inet", text, flags=re.M))
        with open(f"{self.etc}/main.cf", "a") as f:
            f.write(f"""
myhostname = mail.test.example
mydestination =
local_recipient_maps =
alias_maps =
inet_interfaces = 127.0.0.1
maillog_file = {self.log}
maillog_file_prefixes = {prefix}
virtual_mailbox_domains = $myhostname
virtual_mailbox_base = {self.mail}
virtual_mailbox_maps = static:box/
virtual_uid_maps = static:{who.pw_uid}
virtual_gid_maps = static:{who.pw_gid}
virtual_minimum_uid = 1
""")

    def run(self, name, *arguments, status=0, stdin="", user=None):
        p = subprocess.run([f"{self.prefix}/usr/sbin/{name}", *arguments], text=True,
                           input=stdin, capture_output=True, user=user, cwd="/")
        check_equal(p.returncode, status, f"{self.layout}: {name} {arguments}: {p.stderr}")
        return p

    def delivered(self):
        new = f"{self.mail}/box/new"
        texts = []
        for name in os.listdir(new) if os.path.isdir(new) else ():
            with open(f"{new}/{name}") as f:
                texts.append(f.read())
        return texts


def check_places(site, owner):
    wants = {name: f"{site.prefix}/{path}" for name, path in PLACES[site.layout].items()}
    wants.update(command_directory=f"{site.prefix}/usr/sbin", mail_owner=owner,
                 setgid_group="postdrop", sendmail_path=f"{site.prefix}/usr/sbin/sendmail")
    for name, want in wants.items():
        got = site.run("postconf", "-dh", name).stdout.strip()
        check_equal(got, want, f"{site.layout}: default of {name}")


def check_mail(site):
    site.run("postern", "start")
    site.run("postern", "status")
    smtp = Smtp(site.port)
    smtp.say("EHLO client.example", "250")
    smtp.message("you@client.example", "ann@mail.test.example", "Subject: by SMTP\n\nHello.")
    smtp.close()
    site.run("sendmail", "-f", "you@client.example", "bob@mail.test.example",
             stdin="Subject: by sendmail\n\nHello.\n", user=WRITER if is_root() else None)
    wait_until(lambda: len(site.delivered()) == 2, f"{site.layout}: two messages in the Maildir")
    check_equal(sorted(re.findall(r"^Subject: .*", "".join(site.delivered()), re.M)),
                ["Subject: by SMTP", "Subject: by sendmail"], f"{site.layout}: delivered")
    wait_until(lambda: "empty" in site.run("mailq").stdout, f"{site.layout}: an empty queue")
    site.run("postfix", "stop")
    with open(site.log) as f:
        check_equal(re.findall(r"^.*(?:fatal|panic|error|refused by the jail).*$", f.read(), re.M),
                    [], f"{site.layout}: trouble in the log")


def check_reports(site):
    """What the timer starts: systemd takes both units, and the command says what is missing."""
    units = f"{site.prefix}/usr/lib/systemd/system/{site.layout}-reports"
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", f"{units}.timer",
                           f"{units}.service"], text=True, capture_output=True)
    said = [line for line in done.stderr.splitlines() if f"{site.layout}-reports" in line]
    check_equal((done.returncode, said), (0, []), f"{site.layout}: units of reports")
    with open(f"{units}.service") as file:
        command = re.search(r"(?m)^ExecStart=(.*)", file.read())[1].split()
    check_equal(command[0], f"{site.prefix}/usr/sbin/postauth", f"{site.layout}: who reports")
    said = site.run("postauth", *command[1:], status=1).stderr
    check("dmarc_report_store is empty: nothing is counted" in said, said)


def check_uninstall(site, build):
    make(build, "uninstall")
    left = [path for top in ("usr", "etc") for path in tree(f"{site.prefix}/{top}")]
    check_equal(sorted(left), [f"{os.path.basename(site.etc)}/main.cf",
                               f"{os.path.basename(site.etc)}/master.cf"],
                f"{site.layout}: only what was changed is left")


# ---- a layout ----

def layout_works(layout):
    here = tempfile.mkdtemp(prefix="postern-install-")
    os.chmod(here, 0o755)
    try:
        build, destination, prefix = f"{here}/build", f"{here}/destination", f"{here}/root"
        owner = "postern" if is_root() else ME
        if not (configure(build, prefix, f"--with-layout={layout}", f"--with-mail-owner={owner}")
                and make(build)
                # One step after the other: an order that only -j leaves to chance would fail.
                and make(build, "-j1", "install", f"DESTDIR={destination}")):
            return
        check(not os.path.exists(prefix), f"{layout}: DESTDIR holds everything")
        files = tree(destination + prefix)
        check_tree(files, layout)
        for path in files:
            if os.path.dirname(path) in ("usr/sbin", PLACES[layout]["daemon_directory"]):
                check_hardening(f"{destination}{prefix}/{path}")
        make(build, "install")
        check_equal(tree(prefix), files, f"{layout}: the same without DESTDIR")
        site = Site(prefix, layout)
        check_places(site, owner)
        with open(f"{prefix}/usr/lib/systemd/system/{layout}.service") as f:
            check_match(rf"ExecStart={re.escape(prefix)}/usr/sbin/postern start-fg\n", f.read(),
                        f"{layout}: the unit starts it")
        try:
            check_mail(site)
            check_reports(site)
        finally:
            subprocess.run([f"{prefix}/usr/sbin/postern", "stop"], capture_output=True)
        check_uninstall(site, build)
    finally:
        shutil.rmtree(here, ignore_errors=True)


for name in PLACES:
    layout_works(name)
finish()
