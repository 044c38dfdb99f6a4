"""tls_rows.py -- mail under many policies for TLS at a time, ours or Debian's Postfix."""
import os
import re
from sink import Sink


def run(mta, contexts, rows, table, parameter="smtp_tls_policy_maps", more=""):
    """What becomes of a message under each policy, each for a server of its own: (fate, code, text,
    word, how many came, what the log says of certificates), and the names that were asked for.
    more: lines of the table beside those of the rows."""
    sinks, outcomes = [], []
    try:
        for policy, certificate, _, _ in rows:
            sinks.append(Sink(tls=contexts.get(certificate)))
        with open(table, "w") as file:
            for (policy, *_), sink in zip(rows, sinks):
                file.write(f"[localhost]:{sink.port} {policy}\n" if policy else "")
            file.write(more)
        os.chmod(table, 0o644)
        mta.write_configuration(
            **{parameter: f"texthash:{table}"},
            transport_maps="inline:{" + ", ".join(
                f"d{i}.example=smtp:[localhost]:{sink.port}" for i, sink in enumerate(sinks)) + "}")
        mta.start()
        for i in range(len(rows)):
            smtp = mta.smtp()
            smtp.say("EHLO client.example", "250")
            smtp.message("a@client.example", f"b@d{i}.example", "Subject: x\n\nbody\n")
            smtp.close()
        for i, sink in enumerate(sinks):
            found = mta.wait_for_log(
                rf"to=<b@d{i}\.example>, .*dsn=(\S+), status=(\w+) \((.*)\)")
            word = re.search(rf"(\w+) TLS connection established to localhost\[\S+\]:{sink.port}:",
                             mta.log_text())
            distrust = re.findall(
                rf"((?:server )?certificate) verification failed for localhost\[\S+\]:{sink.port}: (.*)",
                mta.log_text())
            outcomes.append((found[2], found[1],
                             found[3].replace(str(sink.port), "PORT"),
                             word and word[1], len(sink.messages), distrust))
        return outcomes, [sink.server_names for sink in sinks]
    finally:
        for sink in sinks:
            sink.socket.close()
