"""certificates.py -- an authority of ours, and servers that it vouches for, or does not."""
import hashlib
import os
import re
import ssl
import subprocess


class Certificates:
    """An authority of ours, and servers' contexts by name."""

    def __init__(self, folder):
        self.folder = folder
        self.ca = self.path("ca.pem")
        os.chmod(folder, 0o755)
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                     "-nodes", "-days", "2", "-subj", "/CN=Authority", "-keyout",
                     self.path("ca.key"), "-out", self.ca)
        os.chmod(self.ca, 0o644)

    def path(self, name):
        return os.path.join(self.folder, name)

    def openssl(self, *arguments):
        return subprocess.run(["openssl", *arguments], check=True, capture_output=True,
                              text=True).stdout

    def make(self, name, alternatives=None, signed=True, with_ca=False):
        key, request, cert, ext = (self.path(f"{name}.{end}") for end in
                                   ("key", "csr", "pem", "ext"))
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                     "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        with open(ext, "w") as file:
            file.write(f"subjectAltName={alternatives}\n" if alternatives else
                       "basicConstraints=CA:FALSE\n")
        by = ["-CA", self.ca, "-CAkey", self.path("ca.key"), "-CAcreateserial"] if signed else \
            ["-signkey", key]
        self.openssl("x509", "-req", "-in", request, "-days", "2", "-extfile", ext, "-out", cert,
                     *by)
        if with_ca:
            with open(cert, "a") as chain, open(self.ca) as ca:
                chain.write(ca.read())
        return self.context(name)

    def context(self, name):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path(f"{name}.pem"), self.path(f"{name}.key"))
        return context

    def fingerprint(self, name, digest="sha256"):
        text = self.openssl("x509", "-in", self.path(f"{name}.pem"), "-noout", "-fingerprint",
                            f"-{digest}")
        return text.strip().split("=")[1]

    def der(self, name, only_key=False):
        """A certificate, or the key in it."""
        path = self.path(f"{name}.pem")
        if not only_key:
            with open(path) as file:
                return ssl.PEM_cert_to_DER_cert(file.read().split("-----END")[0] +
                                                "-----END CERTIFICATE-----\n")
        key = self.openssl("x509", "-in", path, "-noout", "-pubkey")
        return subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"],
                              input=key.encode(), check=True, capture_output=True).stdout

    def key_fingerprint(self, name):
        digest = hashlib.sha256(self.der(name, only_key=True)).hexdigest()
        return ":".join(re.findall("..", digest.upper()))

    def tlsa(self, name, record):
        """The TLSA record of a certificate; record: usage, selector, matching type, as "311"."""
        data = self.der(name, only_key=record[1] == "1")
        if record[2] != "0":
            data = hashlib.new({"1": "sha256", "2": "sha512"}[record[2]], data).digest()
        return bytes(int(digit) for digit in record) + data
