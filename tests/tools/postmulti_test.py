#!/usr/bin/env python3
"""postmulti: instances come into being, are listed, started and stopped together, change and go
again; what Debian's Postfix prints and leaves behind for the same commands is compared. Two
instances take mail at once."""
import json
import os
import pty
import re
import shutil
import subprocess
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import (Instance, Smtp, check, check_equal, check_match, finish, free_port, is_root,
                     process_state, skip, wait_until)
from postfix37 import LIBRARIES, Postfix37, is_there


def own_mounts():
    """Only the default configuration directory has a primary instance: ours is bound there."""
    if "POSTMULTI_TEST_INSIDE" not in os.environ:
        os.environ["POSTMULTI_TEST_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "-m", sys.executable, os.path.abspath(__file__)])


def bind(mta):
    """The directory that it takes for the default one now is the instance's."""
    mta.default = mta.run("postconf", "-dh", "config_directory").stdout.strip()
    parent = os.path.dirname(mta.default)
    while not os.path.isdir(parent):
        parent = os.path.dirname(parent)
    if parent == "/etc":
        shutil.copytree("/etc", os.path.join(mta.home, "etc-of-all"), symlinks=True)
        subprocess.run(["mount", "--bind", os.path.join(mta.home, "etc-of-all"), "/etc"], check=True)
        subprocess.run(["ldconfig", LIBRARIES], check=True)  # scripts forget LD_LIBRARY_PATH
    else:
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", parent], check=True)
    os.makedirs(mta.default)
    subprocess.run(["mount", "--bind", mta.etc, mta.default], check=True)


def lines_of(terminal):
    with open(terminal, errors="replace", newline="") as file:
        try:
            yield from file
        except OSError:  # its other end is closed, and all is read
            pass


class System:
    """The two differ in where their prototypes lie and in how they are called."""

    def __init__(self, mta, control):
        self.mta, self.control = mta, control
        bind(mta)
        self.beside = os.path.dirname(mta.default)

    def run(self, *command):
        environment = self.mta._environment()
        del environment["MAIL_CONFIG"]
        path = os.path.join(self.mta.bin, command[0])
        terminal, end = pty.openpty()  # Postfix complains to nothing else
        done = subprocess.run([path if os.path.exists(path) else command[0], *command[1:]],
                              env=environment, text=True, stdout=subprocess.PIPE, stderr=end,
                              cwd=self.mta.home, timeout=60)
        os.close(end)
        done.stderr = "".join(lines_of(terminal)).replace("\r\n", "\n")
        return done

    def setting(self, name, directory=None):
        return self.run("postconf", "-c", directory or self.mta.default, "-h", name).stdout.strip()

    def plain(self, text):
        """Without what is different between any two systems."""
        text = text.replace(self.mta.home, "HOME")
        text = re.sub(rf"(?<!\w){self.beside}/", "BESIDE/", text)
        text = re.sub(rf"BESIDE/{os.path.basename(self.mta.default)}(?![\w-])", "DEFAULT", text)
        return re.sub(r"^(?:\w+/)?postmulti(?:/postmulti-script|-script)?: ", "", text, flags=re.M)


def state(system, places):
    """What stands in files: the primary's list, each instance's settings, what exists."""
    found = {name: system.plain(system.setting(name) + "\n")
             for name in ("multi_instance_directories", "alternate_config_directories",
                          "multi_instance_wrapper", "multi_instance_enable")}
    for place in places:
        place = place.format(beside=system.beside, home=system.mta.home)
        files = sorted(os.listdir(place)) if os.path.isdir(place) else None
        found[system.plain(place)] = files
        if files and "main.cf" in files:
            for name in ("queue_directory", "data_directory", "multi_instance_name",
                         "multi_instance_group", "multi_instance_enable",
                         "master_service_disable", "authorized_submit_users"):
                found[system.plain(place), name] = system.plain(system.setting(name, place))
    return found


PLACES = ["{beside}/postfix-a", "{beside}/postfix-b", "{home}/third"]
COMMANDS = [
    "-l", "-e create -I postfix-z", "-e init", "-l", "-e create", "-e create -I bad",
    "-e create -I postfix-a/b", "-e create -I postfix-a -G out", "-e create -I postfix-a",
    "-l", "-l -R", "-e create -a -I postfix-b -G in config_directory={home}/etc-b "
    "queue_directory={home}/queue-b/ data_directory={home}/data-b", "-l",
    "-e create -I postfix-c queue_directory={home}/queue-b", "-e create config_directory=third",
    "-e create -I postfix-d nonsense=/x", "-e import -I postfix-d queue_directory=/x",
    "-e import -I postfix-nothing", "-l -g out", "-l -i a", "-l -i postfix-b", "-l -i -",
    "-l -i {home}/etc-b", "-l -i none", "-x -i none true", "-x -g in sh -c {echo}",
    "-x -R sh -c {echo}", "-x sh -c {fail}", "-e enable -i a", "-e enable -i b", "-l",
    "-e destroy -i a", "-e deport -i -", "-e assign -i b -G -", "-e assign -i b -I postfix-a",
    "-e assign -i b -I postfix-e -G new", "-e assign -i e", "-l", "-e disable -i e",
    "-e deport -i e", "-l", "-e import -g nosuch config_directory={home}/etc-b",
    "-e import -i a config_directory={home}/etc-b", "-l", "-e import -I postfix-a",
    "-e nosuch", "-l -p status", "-l true", "-p", "-R -p status", "-x", "-l -I postfix-x",
    "-e enable -I postfix-x -i a", "-e enable -i a x=y", "-l -a -i a",
    "-e disable -i a", "-e deport", "-e destroy -i -"]


def outcome(system, command):
    words = [word.format(home=system.mta.home, echo="echo $multi_instance_name "
                         "$multi_instance_group $multi_instance_enable $config_directory "
                         "$MAIL_CONFIG $queue_directory $data_directory",
                         fail='test "$multi_instance_name" != postfix-a')
             for word in command.split()]
    done = system.run("postmulti", *words)
    places = PLACES + ["{home}/etc-b"]
    return (done.returncode, system.plain(done.stdout), system.plain(done.stderr),
            state(system, places))


# ---- beside Debian's ----

# Where our words differ, and why.
OURS = {
    "-e create -I postfix-z": "a script of Postfix's says it to the log alone",
    "-e import -I postfix-nothing": "Postfix has asked postconf in vain",
    "-e nosuch": "the actions are a list",
    "-l -a -i a": "a slip of the pen in Postfix's text",
}


def prepare_ours(mta):
    top = os.environ.get("TOP_SRCDIR", os.path.join(os.path.dirname(__file__), "..", ".."))
    for name in ("main.cf", "master.cf"):
        with open(os.path.join(top, "conf", name)) as file:
            mta.write(name + ".proto", file.read())


def prepare_theirs(mta):
    debian = os.path.join(os.path.dirname(LIBRARIES), "..", "share", "postfix")
    for name in ("main.cf", "master.cf"):
        with open(os.path.join(debian, name + ".dist")) as file:
            mta.write(name + ".proto", file.read())
    mta.write_configuration(maillog_file="")  # where complaints would go instead
    mta.write("postfix-files", "")  # it would set the rights of what it has installed
    mta.environment["LD_LIBRARY_PATH"] = LIBRARIES


def as_debian_does():
    check(is_there(), "Postfix 3.7 in build/debian: ./dev test puts it there")
    with Postfix37() as theirs, Instance() as ours:
        for mta in theirs, ours:
            data = os.path.join(mta.home, "lib", "main")
            os.makedirs(data)
            mta.write_configuration(data_directory=data)
        prepare_theirs(theirs)
        prepare_ours(ours)
        ours.write_configuration(meta_directory=ours.etc)
        systems = System(theirs, "postfix"), System(ours, "postern")
        for command in COMMANDS:
            want, got = (outcome(system, command) for system in systems)
            for part, a, b in zip(("status", "output", "complaint", "state"), want, got):
                if part == "complaint":
                    a, b = ("\n".join(re.findall(r"^fatal: .*", text, re.M)) for text in (a, b))
                    if command in OURS:
                        check(a != b, f"{command}: {OURS[command]}: it is the same now")
                        continue
                check_equal(b, a, f"{part} of postmulti {command}")


# ---- two at once ----

def message(port, recipient):
    smtp = Smtp(port)
    smtp.say("EHLO client.example", "250-")
    smtp.message("a@test.example", recipient, "Subject: x\n\nx\n")
    smtp.say("QUIT", "221 ")
    smtp.close()


def two_at_once():
    with Instance({"default_transport": "discard:"}) as mta:
        prepare_ours(mta)
        mta.write_configuration(meta_directory=mta.etc)
        system = System(mta, "postern")
        second, queue = os.path.join(mta.home, "second"), os.path.join(mta.home, "queue-2")
        port = free_port()

        def must(*command):
            done = system.run(*command)
            check_equal(done.returncode, 0, f"{' '.join(command)}: {done.stderr}")
            return done
        must("postmulti", "-e", "init")
        must("postmulti", "-e", "create", "-I", "postfix-2", f"config_directory={second}",
             f"queue_directory={queue}", f"data_directory={mta.home}/data-2")
        log = os.path.join(mta.log, "maillog-2")
        must("postconf", "-c", second, "-e", "master_service_disable=", "inet_interfaces=127.0.0.1",
             "inet_protocols=ipv4", "mynetworks=127.0.0.0/8", "default_transport=discard:",
             "mydestination=", f"maillog_file={log}", f"maillog_file_prefixes={mta.home}",
             "alias_maps=", "alias_database=", "myhostname=second.test.example")
        must("postconf", "-c", second, "-M#", "smtp/inet")
        must("postconf", "-c", second, "-Me",
             f"127.0.0.1:{port}/inet=127.0.0.1:{port} inet n - n - - smtpd")
        # What is not enabled is looked after only.
        must("postern", "start")
        check(not running(queue), "an instance that is not enabled")
        must("postmulti", "-e", "enable", "-i", "2")
        must("postern", "-c", second, "start")
        must("postern", "stop")
        check(not mta.master() and not running(queue), "all are stopped")
        must("postern", "start")
        first, other = mta.master(), running(queue)
        check(first and other, "all are started")
        message(mta.port(), "x@gone.example")
        message(port, "x@gone.example")
        mta.wait_for_log(r"postfix/discard\[\d+\]: .*status=sent")
        wait_until(lambda: re.search(r"postfix-2/discard\[\d+\]: .*status=sent", text_of(log)),
                   "mail of the second")
        check_equal(json.loads(must("postmulti", "-lj", "-i", "2").stdout),
                    {"name": "postfix-2", "group": "-", "enabled": "y",
                     "config_directory": second}, "in JSON")
        must("postern", "status")
        must("postmulti", "-i", "2", "-p", "stop")
        wait_until(lambda: process_state(other) in (None, "Z"), "the end of the second")
        check_equal((mta.master(), system.run("postern", "status").returncode), (first, 1),
                    "the first goes on")
        mail_is_kept(system, second, queue)
        must("postern", "stop")
        check(not mta.master(), "the first is stopped")


def mail_is_kept(system, second, queue):
    """It is not destroyed as long as it runs, is enabled, or has mail."""
    def refused(pattern):
        done = system.run("postmulti", "-e", "destroy", "-i", "2")
        check_equal(done.returncode, 1, "it is not destroyed")
        check_match(pattern, done.stderr, "why")
        check(os.path.exists(f"{second}/main.cf") and os.path.isdir(f"{queue}/log"), "nothing is gone")
    refused("Cannot remove enabled instances")
    system.run("postmulti", "-e", "disable", "-i", "2")
    system.run("postern", "-c", second, "start")
    refused("is not stopped")
    port = re.search(r"127.0.0.1:(\d+)", system.run("postconf", "-c", second, "-M").stdout)[1]
    system.run("postconf", "-c", second, "-e", "defer_transports=discard")
    system.run("postern", "-c", second, "reload")
    message(port, "x@gone.example")
    system.run("postern", "-c", second, "stop")
    refused("has mail in its queue .1.: nothing is removed")
    system.run("postsuper", "-c", second, "-d", "ALL")
    with open(f"{second}/of-mine", "w"):
        pass
    done = system.run("postmulti", "-e", "destroy", "-i", "2")
    check_equal(done.returncode, 0, f"destroyed: {done.stderr}")
    check_match(f"{second}: please verify contents and remove by hand", done.stderr, "what is left")
    check_equal((os.listdir(second), os.path.exists(queue)), (["of-mine"], False), "its files")
    check_equal(system.setting("multi_instance_directories"), "", "it is off the list")


def running(queue):
    """pid of the master of that queue, or None."""
    try:
        with open(os.path.join(queue, "pid", "master.pid")) as file:
            pid = int(file.read())
    except (OSError, ValueError):
        return None
    return pid if process_state(pid) not in (None, "Z") else None


def text_of(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


if not is_root():
    skip("needs root: mount namespaces, and Postfix itself")
own_mounts()
two_at_once()
as_debian_does()
finish()
