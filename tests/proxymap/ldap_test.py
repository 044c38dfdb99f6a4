#!/usr/bin/python3
"""ldap: tables, with an OpenLDAP server of the test's own."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import play
import servers
import harness
from harness import check_equal, check_match

LDIF = """dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
o: example
dc: example

"""


def entry(name, **values):
    lines = [f"dn: cn={name},dc=example,dc=org", "objectClass: inetOrgPerson",
             "objectClass: labeledURIObject", f"cn: {name}", f"sn: {name}"]
    for attribute, list_ in values.items():
        lines += [f"{attribute}: {value}" for value in list_]
    return "\n".join(lines) + "\n\n"


def main():
    db = servers.Server("usr/sbin/slapd")
    if not db.is_there():
        harness.finish()
    schema = f"{servers.DEBIAN}/etc/ldap/schema"
    with open(f"{db.home}/slapd.conf", "w") as conf:
        conf.write("".join(f"include {schema}/{name}.schema\n"
                           for name in ("core", "cosine", "inetorgperson"))
                   + f"modulepath {servers.DEBIAN}/usr/lib/ldap\nmoduleload back_mdb\n"
                   f"pidfile {db.home}/pid\ndatabase mdb\nsuffix dc=example,dc=org\n"
                   f"rootdn cn=boss,dc=example,dc=org\nrootpw it's\ndirectory {db.home}/data\n"
                   "access to * by users read by * auth\n")
    os.mkdir(f"{db.home}/data")
    if harness.is_root():
        os.chown(f"{db.home}/data", os.stat(db.home).st_uid, -1)
    people = [entry(f"p{i}", mail=[key], description=[value])
              for i, (key, value) in enumerate(play.ROWS.items())]
    people += [
        entry("two", mail=["two@example.org"], description=["a", "b"]),
        entry("list", mail=["list@example.org"], seeAlso=["cn=p0,dc=example,dc=org",
              "cn=inner,dc=example,dc=org", "cn=gone,dc=example,dc=org"], title=["leaf"],
              labeledURI=["ldap:///dc=example,dc=org??sub?(cn=two)"]),
        entry("inner", description=["inner"], title=["leaf of inner"]),
        entry("loop", mail=["loop@example.org"], seeAlso=["cn=loop,dc=example,dc=org"]),
        entry("end", mail=["end@example.org"], description=["no"], employeeType=["terminal"]),
    ]
    db.run(f"{servers.DEBIAN}/usr/sbin/slapadd" if os.path.isfile(
        f"{servers.DEBIAN}/usr/sbin/slapadd") and not os.path.islink(
        f"{servers.DEBIAN}/usr/sbin/slapadd") else db.program,
        *([] if not os.path.islink(f"{servers.DEBIAN}/usr/sbin/slapadd") else ["-Tadd"]),
        "-q", "-f", f"{db.home}/slapd.conf", input=LDIF + "".join(people))
    socket = f"{db.home}/socket"
    url = "ldapi://" + socket.replace("/", "%2F")

    def start():
        db.start("-d0", "-f", f"{db.home}/slapd.conf", "-h", url, ready=socket)

    start()
    mta = harness.Instance()
    access = (f"server_host = {url}\nsearch_base = dc=example,dc=org\nretry_interval = 1s\n"
              "bind_dn = cn=boss,dc=example,dc=org\nbind_pw = it's\n"
              "query_filter = (mail=%s)\nresult_attribute = description\n")
    special = "special_result_attribute = seeAlso, labeledURI\n"
    mta.write("a.cf", access)
    mta.write("base.cf", access.replace("dc=example,dc=org\nretry", "dc=%2,dc=%1\nretry"))
    mta.write("lists.cf", access + special + "leaf_result_attribute = title\n"
              "terminal_result_attribute = employeeType\n")
    mta.write("loop.cf", access + special + "recursion_limit = 20\n")
    mta.write("limit.cf", access + "expansion_limit = 1\n")
    mta.write("wrong.cf", access.replace("it's", "no"))
    mta.write("other", "other@example.org REJECT to another\n")
    table = f"ldap:{mta.etc}/a.cf"
    mta.write_configuration(
        smtpd_relay_restrictions="permit", proxy_read_maps=f"proxy:{table}",
        smtpd_recipient_restrictions=f"check_recipient_access texthash:{mta.etc}/other, "
        f"check_recipient_access proxy:{table}, reject")
    mta.start()
    play.finds_all(mta)
    for name, key, want, error in (
            ("a", "two@example.org", "a,b\n", ""),
            ("a", "*", "", ""), ("a", "x)(cn=*", "", ""),
            ("base", "alice@example.org", "REJECT to alice\n", ""),
            ("base", "alice", "", ""),
            ("lists", "list@example.org", "REJECT to alice,inner,leaf of inner,a,b\n", ""),
            ("lists", "end@example.org", "terminal\n", ""),
            ("loop", "loop@example.org", "", "recursion_limit exceeded"),
            ("limit", "two@example.org", "", "Expansion limit exceeded"),
            ("wrong", "x", "", "Invalid credentials")):
        out = mta.run("postmap", "-q", key, f"ldap:{mta.etc}/{name}.cf")
        check_equal(out.stdout, want, f"postmap -q {key} {name}: {out.stderr}")
        check_match(error, out.stderr, f"{name}: the error")
    play.gone_and_back(mta, db.stop, start, other=("other@example.org", "to another"))
    play.free_of_warnings(mta, "the jail")
    mta.stop()
    db.close()
    harness.finish()


main()
