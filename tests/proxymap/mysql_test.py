#!/usr/bin/python3
"""mysql: tables, with a MariaDB server of the test's own."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import play
import servers
import harness
from harness import check_equal


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def main():
    db = servers.Server("usr/sbin/mariadbd")
    if not db.is_there():
        harness.finish()
    share = f"{servers.DEBIAN}/usr/share/mysql"
    socket = f"{db.home}/socket"
    common = ["--no-defaults", f"--datadir={db.home}/data", f"--lc-messages-dir={share}",
              f"--character-sets-dir={share}/charsets", "--innodb-buffer-pool-size=8M",
              "--innodb-log-file-size=4M", "--innodb-flush-log-at-trx-commit=0",
              f"--plugin-dir={servers.DEBIAN}/usr/lib/mysql/plugin"]
    os.mkdir(f"{db.home}/data")
    if harness.is_root():
        os.chown(f"{db.home}/data", os.stat(db.home).st_uid, -1)
    os.mkdir(f"{db.home}/data/mysql")
    if harness.is_root():
        os.chown(f"{db.home}/data/mysql", os.stat(db.home).st_uid, -1)
    db.run(db.program, *common, "--bootstrap", "--skip-grant-tables", input="use mysql;\n" + "".join(
        read(f"{share}/{name}.sql") for name in
        ("mysql_system_tables", "mysql_performance_tables", "mysql_system_tables_data")))
    db.run(db.program, *common, "--bootstrap", input=
           "CREATE DATABASE mail;\nUSE mail;\n" + servers.sql_rows(backslash=True)
           + "FLUSH PRIVILEGES;\nCREATE USER mailer@localhost IDENTIFIED BY 'it''s';\n"
           "GRANT SELECT, EXECUTE ON mail.* TO mailer@localhost;\n"
           "CREATE PROCEDURE find(name VARCHAR(200)) SQL SECURITY INVOKER "
           "SELECT v FROM t WHERE k = name;\n")

    def start():
        db.start(*common, f"--socket={socket}", "--skip-networking", ready=socket)

    start()
    mta = harness.Instance()
    access = (f"hosts = unix:{socket}\nuser = mailer\npassword = it's\ndbname = mail\n"
              "retry_interval = 1s\n")
    mta.write("a.cf", access + "query = SELECT v FROM t WHERE k = '%s'\n")
    mta.write("call.cf", access + "query = CALL find('%s')\n")
    mta.write("old.cf", access + "table = t\nselect_field = v\nwhere_field = k\n")
    mta.write("bad.cf", access + "query = SELECT nothing FROM nowhere\n")
    mta.write("wrong.cf", (access + "query = SELECT 1\n").replace("it's", "no"))
    mta.write("other", "other@example.org REJECT to another\n")
    table = f"mysql:{mta.etc}/a.cf"
    mta.write_configuration(
        smtpd_relay_restrictions="permit", proxy_read_maps=f"proxy:{table}",
        smtpd_recipient_restrictions=f"check_recipient_access texthash:{mta.etc}/other, "
        f"check_recipient_access proxy:{table}, reject")
    mta.start()
    play.finds_all(mta)
    for name, key, want in (("a", "two@example.org", "a,b\n"),
                            ("call", "two@example.org", "a,b\n"),
                            ("old", "o'neil@example.org", "REJECT to oneil\n"),
                            ("a", "x' OR 'a'='a", ""), ("a", "x\\' OR 1=1 -- ", ""),
                            ("bad", "x", ""), ("wrong", "x", "")):
        out = mta.run("postmap", "-q", key, f"mysql:{mta.etc}/{name}.cf")
        check_equal(out.stdout, want, f"postmap -q {key} {name}: {out.stderr}")
        if name == "bad":
            harness.check_match("doesn't exist|SELECT command denied", out.stderr, "a wrong query")
        if name == "wrong":
            harness.check_match("Access denied", out.stderr, "a wrong password")
    play.gone_and_back(mta, db.stop, start, other=("other@example.org", "to another"))
    play.free_of_warnings(mta, "the jail")
    mta.stop()
    db.close()
    harness.finish()


main()
