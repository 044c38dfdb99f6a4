#!/usr/bin/env python3
"""postauth reports: aggregate reports of DMARC in all forms that they are sent in, and those that
Google, Microsoft, Amazon and others sent, of a shared set."""
import glob
import gzip
import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from email.message import EmailMessage
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import check, check_equal, check_match, finish, program

SHARED = os.path.join(os.environ.get("POSTERN_SHARED", "../shared"), "vectors", "dmarc-reports-mail-auth")
XML = b"""<?xml version="1.0"?>
<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0">
 <report_metadata>
  <org_name>Receiver \xc3\xa9\xc2\x9b</org_name><email>d@r.example</email>
  <report_id>17</report_id>
  <date_range><begin>1795000000</begin><end>1795086399</end></date_range>
 </report_metadata>
 <policy_published><domain>a.example</domain><p>reject</p><sp>none</sp></policy_published>
 <record>
  <row><source_ip>192.0.2.1</source_ip><count>12</count>
   <policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>fail</spf>
    <reason><type>local_policy</type><comment>arc=pass</comment></reason></policy_evaluated>
  </row>
  <identifiers><header_from>a.example</header_from></identifiers>
  <auth_results>
   <dkim><domain>a.example</domain><selector>s1</selector><result>pass</result></dkim>
   <spf><domain>b.example</domain><result>softfail</result></spf>
  </auth_results>
 </record>
 <record>
  <row><source_ip>2001:db8::1</source_ip><count>3</count>
   <policy_evaluated><disposition>reject</disposition><dkim>fail</dkim><spf>fail</spf>
   </policy_evaluated></row>
  <identifiers><header_from>x.a.example</header_from></identifiers>
 </record>
</feedback>
"""
TABLE = r"""a.example (p=reject sp=none), 2026-11-18 11:06 to 2026-11-19 11:06 UTC, """ \
    r"""by Receiver \303\251\302\233 <d@r.example>, report 17
   count  source       dkim  spf   done        author       because
      12  192.0.2.1    pass  fail  none        a.example    dkim=pass a.example (s1); """ \
    r"""spf=softfail b.example; local_policy (arc=pass)
       3  2001:db8::1  fail  fail  reject      x.a.example  """ """
      15  messages: 12 passed, 3 failed; 0 quarantined, 3 rejected
"""


def zipped(name, content):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


def mailed(content, subtype):
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "d@r.example", "d@a.example", "Report Domain:"
    mail.set_content("A report.\n")
    mail.add_alternative("<p>A report.</p>\n", subtype="html")
    mail.add_attachment(content, "application", subtype, filename="r")
    return mail.as_bytes()


def others(reports):
    """The JSON beside each report has another shape than ours, and words in another case."""
    paths = sorted(glob.glob(f"{SHARED}/*.xml") + glob.glob(f"{SHARED}/*.eml"))
    check(len(paths) >= 10, f"only {len(paths)} reports in {SHARED}")
    for path in paths:
        with open(os.path.splitext(path)[0] + ".json") as file:
            want = json.load(file)
        status, out, err = reports("--json", path)
        if not check_equal((status, err), (0, ""), path):
            continue
        said, about = json.loads(out), want["report_metadata"]
        check_equal([said[key] for key in ("report_id", "email", "begin", "end", "domain")],
                    [about["report_id"], about["email"], about["date_range"]["begin"],
                     about["date_range"]["end"], want["policy_published"]["domain"]], path)
        check_equal([[str(row[key]) for key in ("count", "source_ip", "disposition", "dkim", "spf",
                                                "header_from")] for row in said["records"]],
                    [row_of(record) for record in want["record"]], path)


def row_of(record):
    row = record["row"]
    done = row["policy_evaluated"]
    return [str(row["count"]), row["source_ip"], *(done[key].lower() for key in ("disposition", "dkim", "spf")),
            record["identifiers"]["header_from"]]


FORMS = {"xml": XML, "gz": gzip.compress(XML), "zip": zipped("r.xml", XML),
         "mail": mailed(gzip.compress(XML), "gzip"), "crlf": mailed(zipped("r", XML), "zip")
         .replace(b"\n", b"\r\n")}

with tempfile.TemporaryDirectory() as folder:
    def reports(*arguments, content=b""):
        done = subprocess.run([program("postauth"), "reports", *arguments], input=content,
                              capture_output=True)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    for name, data in FORMS.items():
        with open(os.path.join(folder, name), "wb") as f:
            f.write(data)
        check_equal(reports(os.path.join(folder, name)), (0, TABLE, ""), name)
    check_equal(reports("-", content=FORMS["mail"]), (0, TABLE, ""), "standard input")

    paths = [os.path.join(folder, name) for name in ("xml", "none", "gz")]
    status, out, err = reports("--json", *paths)
    check_equal(status, 1, "a file that is not there")
    check_match(r"postauth: (error: )?/.*/none: No such file", err, "which one")
    said = [json.loads(line) for line in out.splitlines()]
    check_equal(len(said), 2, "the others are shown")
    check_equal([said[0][key] for key in ("domain", "org_name", "p", "np", "begin")],
                ["a.example", "Receiver \xe9\x9b", "reject", "", 1795000000], "JSON")
    check_equal(said[0]["records"][0],
                {"count": 12, "source_ip": "192.0.2.1", "disposition": "none", "dkim": "pass",
                 "spf": "fail", "header_from": "a.example", "envelope_from": "",
                 "envelope_to": "",
                 "dkim_results": [{"domain": "a.example", "selector": "s1", "result": "pass"}],
                 "spf_results": [{"domain": "b.example", "scope": "", "result": "softfail"}],
                 "reasons": [{"type": "local_policy", "comment": "arc=pass"}]}, "a record")

    others(reports)

    # Bombs: 80 MB in 80 KB, entities, and a file that does not end.
    for content, trouble in ((gzip.compress(b"<a>" + bytes(80 << 20)), "too large when unpacked"),
                             (b'<!DOCTYPE a [<!ENTITY a "aa">]><feedback/>', "a document type"),
                             (b"<feedback>", "no element found")):
        status, out, err = reports("-", content=content)
        check_equal((status, out), (1, ""), trouble)
        check_match(trouble, err, trouble)
    status, out, err = reports("/dev/zero")
    check_equal((status, out), (1, ""), "a file without an end")
    check("File too large" in err, err)
finish()
