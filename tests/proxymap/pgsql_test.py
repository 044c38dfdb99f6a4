#!/usr/bin/python3
"""pgsql: tables, with a PostgreSQL server of the test's own."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import play
import servers
import harness
from harness import check_equal, wait_until

BIN = "usr/lib/postgresql/15/bin"


def main():
    db = servers.Server(f"{BIN}/postgres")
    if not db.is_there():
        harness.finish()
    tool = f"{servers.DEBIAN}/{BIN}"
    with open(f"{db.home}/password", "w") as file:
        file.write("top secret\n")
    db.run(f"{tool}/initdb", "-D", f"{db.home}/data", "-A", "password", "-U", "boss",
           "-E", "UTF8", "--locale", "C.UTF-8", "--no-sync", "--pwfile", f"{db.home}/password")
    socket = f"{db.home}/.s.PGSQL.5432"

    def start():
        db.start("-D", f"{db.home}/data", "-k", db.home, "-c", "listen_addresses=", "-F",
                 ready=socket)
        # It listens before it answers.
        wait_until(lambda: subprocess.run(
            [f"{tool}/pg_isready", "-q", "-h", db.home], env={"LD_LIBRARY_PATH":
            servers.LIBRARIES}).returncode == 0, "PostgreSQL to be ready", 60)

    start()
    db.run(f"{tool}/psql", "-q", "-v", "ON_ERROR_STOP=1",
           f"host={db.home} user=boss password='top secret' dbname=postgres",
           input=servers.sql_rows() + "CREATE USER mailer PASSWORD 'it''s';\n"
           "GRANT SELECT ON t TO mailer;\n")
    mta = harness.Instance()
    access = (f"hosts = unix:{db.home}\nuser = mailer\npassword = it's\ndbname = postgres\n"
              "retry_interval = 1s\n")
    mta.write("a.cf", access + "query = SELECT v FROM t WHERE k = '%s'\n")
    mta.write("old.cf", access + "table = t\nselect_field = v\nwhere_field = k\n")
    mta.write("bad.cf", access + "query = SELECT nothing FROM nowhere\n")
    mta.write("wrong.cf", (access + "query = SELECT 1\n").replace("it's", "no"))
    mta.write("other", "other@example.org REJECT to another\n")
    table = f"pgsql:{mta.etc}/a.cf"
    mta.write_configuration(
        smtpd_relay_restrictions="permit", proxy_read_maps=f"proxy:{table}",
        smtpd_recipient_restrictions=f"check_recipient_access texthash:{mta.etc}/other, "
        f"check_recipient_access proxy:{table}, reject")
    mta.start()
    play.finds_all(mta)
    for name, key, want in (("a", "two@example.org", "a,b\n"),
                            ("old", "o'neil@example.org", "REJECT to oneil\n"),
                            ("a", "x' OR 'a'='a", ""),
                            ("bad", "x", ""), ("wrong", "x", "")):
        out = mta.run("postmap", "-q", key, f"pgsql:{mta.etc}/{name}.cf")
        check_equal(out.stdout, want, f"postmap -q {key} {name}")
        if name == "bad":
            harness.check_match("nowhere.*does not exist", out.stderr, "a wrong query")
        if name == "wrong":
            harness.check_match("password authentication failed", out.stderr, "a wrong password")
    play.gone_and_back(mta, db.stop, start, other=("other@example.org", "to another"))
    play.free_of_warnings(mta, "the jail")
    mta.stop()
    db.close()
    harness.finish()


main()
