#!/usr/bin/python3
"""sqlite: tables, through proxymap: found, not found, a key that would be SQL, several rows,
what is not in proxy_read_maps, a file that is away, settings that change."""
import os
import sqlite3
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import play
import harness
from harness import check, check_equal, check_match, wait_until


def database(path, rows):
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE t (k TEXT, v TEXT)")
        db.executemany("INSERT INTO t VALUES (?, ?)", rows)
    db.close()
    os.chmod(path, 0o644)


def main():
    mta = harness.Instance()
    path = os.path.join(mta.etc, "db", "mail.sqlite")
    os.mkdir(os.path.dirname(path))
    database(path, list(play.ROWS.items()) + [
        ("two@example.org", "REJECT"), ("two@example.org", "second"), ("empty@example.org", None)])
    query = f"dbpath = {path}\nquery = SELECT v FROM t WHERE k = '%s'\n"
    mta.write("a.cf", query)
    mta.write("unlisted.cf", query)
    mta.write("named.cf", f"dbpath = {path}\nquery = SELECT 'REJECT named ' || v FROM t "
                          "WHERE k = 'alice@example.org' AND '%u' = 'named'\n")
    mta.write("limit.cf", query + "expansion_limit = 1\ndomain = limit.example\n"
              .replace("limit.example", "example.org"))
    a, named, unlisted = (f"sqlite:{mta.etc}/{name}.cf" for name in ("a", "named", "unlisted"))
    mta.write("other", "other@example.org REJECT to another\n")
    mta.write_configuration(
        smtpd_relay_restrictions="permit",
        proxy_read_maps=f"proxy:{a}",
        smtpd_recipient_restrictions=f"check_recipient_access texthash:{mta.etc}/other, "
        f"check_recipient_access proxy:{a}, check_recipient_access {named}, "
        f"check_sender_access proxy:{unlisted}, reject")
    mta.start()
    for key, value in play.ROWS.items():
        check_match(value.split(None, 1)[1], play.recipient(mta, key), f"look-up of {key}")
    check_match("named REJECT to alice", play.recipient(mta, "named@example.org"),
                "a table without proxy: that main.cf names")
    check_match("^451 ", play.recipient(mta, "nobody@example.org"),
                "a table with proxy: that proxy_read_maps does not name")
    mta.wait_for_log("request for unapproved table: \"sqlite:.*unlisted.cf\"")
    # Commands ask the server themselves.
    out = mta.run("postmap", "-q", "alice@example.org", a)
    check_equal(out.stdout, "REJECT to alice\n", "postmap -q")
    out = mta.run("postmap", "-q", "two@example.org", a)
    check_equal(out.stdout, "REJECT,second\n", "two rows are joined")
    out = mta.run("postmap", "-q", "two@example.org", f"sqlite:{mta.etc}/limit.cf")
    check(out.returncode != 0 and "Expansion limit exceeded" in out.stderr, out.stderr)
    out = mta.run("postmap", "-q", "alice@elsewhere.example", f"sqlite:{mta.etc}/limit.cf")
    check_equal((out.returncode, out.stdout), (1, ""), "a key of another domain")
    check("sqlite" in mta.run("postconf", "-m").stdout, "postconf -m lists it")
    # A file that is away defers; other tables are asked on.
    # A process that has it open goes on with it, until the reload has reached all of them.
    def away():
        os.rename(path, path + ".away")
        mta.run("postern", "reload")
        wait_until(lambda: play.recipient(mta, "alice@example.org").startswith("451"),
                   "the database to be missed")

    play.gone_and_back(mta, away, lambda: os.rename(path + ".away", path),
                       other=("other@example.org", "to another"))
    # Settings that changed are used without a reload.
    mta.write("a.cf", f"dbpath = {path}\nquery = SELECT 'REJECT changed'\n")
    wait_until(lambda: "changed" in play.recipient(mta, "x@example.org"), "the changed file")
    play.free_of_warnings(mta, "the jail")
    mta.stop()
    harness.finish()


main()
