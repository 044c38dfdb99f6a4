#!/usr/bin/env python3
"""A configuration comes over from a Postfix, and goes back: paths become ours and theirs, the
places of an installation stay behind, our names do not get out."""
import os
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, check_match, finish


def read(*path):
    with open(os.path.join(*path)) as file:
        return file.read()


def settings(*path):
    """{name: value} of a main.cf, continuation lines joined."""
    found = {}
    for line in read(*path).replace("\n ", " ").splitlines():
        if line and not line.startswith("#"):
            name, value = line.split("=", 1)
            found[name.strip()] = " ".join(value.split())
    return found


def make_postfix(folder, log):
    os.makedirs(os.path.join(folder, "sasl"))
    files = {
        "main.cf": f"""# comment
queue_directory = /srv/queue
daemon_directory = /usr/lib/postfix/sbin
mail_owner = nobody
mydestination = here.example
transport_maps = texthash:{folder}/transport, texthash:{folder}x/no
smtpd_tls_session_cache_database = btree:/var/lib/postfix/cache
 btree:/srv/queue-2/x
own_setting = {folder}
virtual_alias_maps = texthash:$config_directory/sasl/virtual
maillog_file = {log}
maillog_file_prefixes = /
lmtp_host = unix:/srv/queue/private/lmtp
""",
        "master.cf": f"""smtp unix - - n - - smtp
  -o syslog_name=x
  -o { '{' } smtp_helo_name = a   b { '}' }
# a comment
qmgr unix n - n 300 1 qmgr
filter unix - n n - - pipe user=nobody argv={folder}/filter
""",
        "transport": "x.example discard:\n",
        "sasl/virtual": f"# {folder}/virtual\na@x.example b@x.example\n",
        "post-install": "not ours",
    }
    for name, text in files.items():
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
    os.chmod(os.path.join(folder, "transport"), 0o640)


with Instance(services=["cleanup", "qmgr"]) as mta:
    theirs = os.path.join(mta.home, "theirs")
    back = os.path.join(mta.home, "back")
    make_postfix(theirs, mta.logfile)
    before = settings(mta.etc, "main.cf")
    done = mta.postern("import", theirs + "/")
    after = settings(mta.etc, "main.cf")
    for name in ("queue_directory", "data_directory", "daemon_directory", "mail_owner"):
        check_equal(after.get(name), before.get(name), name)
    check_equal(after["transport_maps"],
                f"texthash:{mta.etc}/transport, texthash:{theirs}x/no", "transport_maps")
    check_equal(after["smtpd_tls_session_cache_database"],
                f"btree:{mta.data}/cache btree:/srv/queue-2/x", "data directory")
    check_equal(after["lmtp_host"], f"unix:{mta.queue}/private/lmtp", "queue directory")
    check_equal(after["own_setting"], mta.etc, "a setting of one's own")
    check_equal(after["virtual_alias_maps"], "texthash:$config_directory/sasl/virtual", "$")
    check_match(rf"argv={mta.etc}/filter", read(mta.etc, "master.cf"), "master.cf")
    check_match(r"-o { smtp_helo_name = a   b }", read(mta.etc, "master.cf"), "master.cf")
    check_equal(read(mta.etc, "transport"), read(theirs, "transport"), "a table")
    check_equal(os.stat(os.path.join(mta.etc, "transport")).st_mode & 0o777, 0o640, "mode")
    check(not os.path.exists(os.path.join(mta.etc, "post-install")), "post-install was copied")
    check_equal(settings(mta.etc, "main.cf.before"), before, "what was there")
    for pattern in (r"main.cf: daemon_directory = .*: left out", r"main.cf: lmtp_host = unix:",
                    r"sasl/virtual: names .*theirs", r"master.cf: paths of pipe"):
        check_match(pattern, done.stdout, "report")
    check_match(r"warning", done.stderr, "what differs")

    # Once more: what was edited since stays.
    with open(os.path.join(mta.etc, "main.cf"), "a") as file:
        file.write("sandbox = yes\nsmtp_helo_name = edited.example\nspf_mode = log\n"
                   "smtpd_sender_restrictions = warn_if_reject reject_spf_fail, reject_spf_permerror,"
                   " reject_dmarc_fail, reject\n")
    with open(os.path.join(mta.etc, "master.cf"), "a") as file:
        file.write("dns unix - - n - - dns\n"
                   "again unix - - n - - smtp -o log_session_id=no -o smtp_helo_name=x\n")
    done = mta.postern("import", theirs)
    check_match("the configuration stays", done.stdout, "second import")
    check_equal(settings(mta.etc, "main.cf")["smtp_helo_name"], "edited.example", "an edit")

    # And back, over what is there.
    os.mkdir(back)
    with open(os.path.join(back, "main.cf"), "w") as file:
        file.write("daemon_directory = /their/own\nqueue_directory = /srv/queue\n"
                   "data_directory = /var/lib/postfix\n")
    done = mta.postern("export", "--postfix", back)
    result = settings(back, "main.cf")
    want = {name: value.replace(theirs + "/", back + "/") if not value.endswith("x/no") else
            value.replace(theirs + "/t", back + "/t")
            for name, value in settings(theirs, "main.cf").items()}
    want.update(daemon_directory="/their/own", data_directory="/var/lib/postfix",
                own_setting=back, smtp_helo_name="edited.example",
                smtpd_sender_restrictions="warn_if_reject sleep,0, sleep,0, sleep,0, reject")
    want.pop("mail_owner")
    check_equal(result, want, "main.cf of Postfix")
    master = read(back, "master.cf")
    check_match(r"argv=.*/back/filter", master, "master.cf")
    check_match(r"again unix - - n - - smtp -o smtp_helo_name=x", master, "an option of ours")
    check("dns" not in master, "a service of ours is in master.cf")
    check_match(r"sandbox = yes: left out", done.stdout, "report")
    check_match(r"smtpd_sender_restrictions: reject_spf_fail: left out", done.stdout, "report")
finish()
