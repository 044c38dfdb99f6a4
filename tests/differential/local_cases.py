"""local_cases.py -- aliases, .forward files, lists and settings of local(8) made by chance."""

USERS = ["ann", "bob", "cat"]
HERE = "here.example"
NAMES = ["l1", "l2", "l3", "l4", "l5", "cmd", "file", "list", "ann", "Mixed", "l1+ext", "a.b"]
EXTENSIONS = ["ext", "e+f", "other"]
FAR = ["x@far.example", "y@far.example", "Z@Far.Example"]
# {out} is a directory where anybody may write, {lists} one where root may.
COMMANDS = ["cat > {out}/cat", "cat >> {out}/appended", "exit 0", "exit 75", "exit 65", "exit 67",
            "exit 69", "exit 77", "exit 1", "exit 99", "kill -9 $$", "kill -15 $$",
            "echo 4.2.2 over quota; exit 1", "echo 5.7.9 not so; exit 75", "echo some words; exit 70",
            "echo one; echo two >&2; exit 73", "echo well done", "/no/such/program",
            "cd /no/such/place", "echo 5.1.1", "echo 2.1.5 fine; exit 75",
            "echo $LOCAL:$EXTENSION:$DOMAIN:$RECIPIENT:$ORIGINAL_RECIPIENT:$SENDER > {out}/who",
            "echo $USER:$HOME:$LOGNAME:$SHELL > {out}/user", "id -u > {out}/uid", "pwd > {out}/pwd",
            "printf '%s' \"two words\" > {out}/words", "exec cat > {out}/cat; x", "true"]
PLAIN = set("|/{}-_.=abcdefghijklmnopqrstuvwxyz0123456789")
FILES = ["{out}/box", "{out}/dir/", "/dev/null", "{out}/no/such/folder", "{out}/closed/box",
         "{out}/readonly", "{out}/new"]
LISTS = ["{lists}/one", "{lists}/two", "{lists}/three", "{lists}/absent", "{lists}", "relative",
         "{lists}/open"]


def quoted_item(dice, text):
    """A command or file as people write it: in quotes where Postfix needs them (VIOLATIONS.md)."""
    if dice.often(0.7) or not set(text) <= PLAIN:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return text


def name(dice):
    base = dice.choice(NAMES + USERS + ["nobody-here", "nemo-not"])
    return base + "+" + dice.choice(EXTENSIONS) if dice.often(0.2) else base


def address(dice):
    form = dice.random()
    if form < 0.3:
        return dice.choice(FAR)
    if form < 0.6:
        return name(dice)
    if form < 0.8:
        return f"{name(dice)}@{HERE}"
    if form < 0.87:
        return f"\\{dice.choice(USERS)}"
    if form < 0.93:
        return f"Some Name <{name(dice)}@{HERE}> (a comment)"
    return f"{name(dice)}@other.example"


def item(dice, in_list=False):
    form = dice.random()
    if form < 0.45:
        return address(dice)
    if form < 0.7:
        return quoted_item(dice, "|" + dice.choice(["", "", " "]) + dice.choice(COMMANDS))
    if form < 0.87:
        return quoted_item(dice, dice.choice(FILES))
    text = ":include:" + dice.choice(["", "", " "]) + dice.choice(LISTS)
    return text if in_list or dice.often(0.6) else f'"{text}"'


def items(dice, most=3):
    return dice.choice([", ", ",", ",\n "]).join(item(dice) for _ in range(dice.randint(1, most)))


def aliases(dice):
    lines = []
    for key in dice.sample(NAMES, dice.randint(6, len(NAMES))):
        lines.append(f"{key}: {items(dice)}\n")
        if dice.often(0.2):
            # Somewhere else: Postfix 3.7 tells an owner within his own list for ever.
            lines.append(f"owner-{key}: {dice.choice(FAR)}\n")
    return "".join(lines)


def list_file(dice):
    """The text of a .forward file or :include: list."""
    lines = []
    for _ in range(dice.choice([0, 1, 1, 2, 3])):
        form = dice.random()
        if form < 0.12:
            lines.append(dice.choice(["# a comment\n", "\n", "   \n"]))
        else:
            lines.append(items(dice, 2).replace("\n ", " ") + "\n")
    return "".join(lines)


class Files:
    """What is on disk before each delivery: {path: (text, owner, mode)}; text None is a
    directory. {home} of NAME is {NAME}."""

    def __init__(self, dice):
        self.files = {}
        for user in USERS:
            if dice.often(0.5):
                self.add(dice, f"{{{user}}}/.forward", user)
            if dice.often(0.3):
                self.add(dice, f"{{{user}}}/.forward+ext", user)
        for path in LISTS[:3]:
            self.add(dice, path, dice.choice(["root", "ann", "bob", "nobody"]), [0o644, 0o666])
        self.files["{lists}/open"] = (list_file(dice), "ann", 0o666)
        self.files["{out}/closed"] = (None, "ann", 0o700)
        self.files["{out}/readonly"] = ("there is mail\n", "bob", 0o444)
        self.files["{out}/box"] = (dice.choice(["", ("x" * 99 + "\n") * 199]), dice.choice(["ann", "nobody", "bob"]),
                                   dice.choice([0o600, 0o666, 0o644]))
        self.files["{out}/dir"] = (None, dice.choice(["nobody", "ann"]), dice.choice([0o700, 0o777]))

    def add(self, dice, path, owner, modes=(0o600, 0o644, 0o644, 0o666)):
        mode = dice.choice(modes) if dice.often(0.4) else 0o644
        if dice.often(0.06):
            owner = dice.choice(USERS + ["root"])
        text = None if dice.often(0.04) else list_file(dice)
        self.files[path] = (text, owner, mode if text is not None else 0o755)


def local_settings(dice):
    s = {
        "mydestination": HERE, "myorigin": HERE, "local_recipient_maps": "",
        "recipient_delimiter": dice.choice(["+", "+", "+", "", "-+"]),
        "transport_maps": "inline:{far.example=discard:, other.example=discard:}",
        "default_transport": "discard", "notify_classes": "", "disable_dns_lookups": "yes",
        "maximal_queue_lifetime": "0", "bounce_queue_lifetime": "0", "biff": "no",
        "default_privs": "nobody", "deliver_lock_attempts": "1", "command_time_limit": "10s",
        "export_environment": "TZ MAIL_CONFIG LANG",
    }
    classes = ["alias", "forward", "include"]
    extra = {}
    for key, value in (
            ("home_mailbox", dice.choice(["Mailbox", "Maildir/", "sub/Mailbox", "no/such/Mailbox"])),
            ("mailbox_command", dice.choice(["cat > {out}/mbox.$USER", "exit 73",
                                             "/bin/cat > {out}/ext.$EXTENSION"])),
            ("mailbox_command_maps", "inline:{{ann=cat > {out}/maps.$LOGNAME}}"),
            ("mailbox_transport", dice.choice(["discard:", "discard:hop", "nosuch:"])),
            ("mailbox_transport_maps", "inline:{ann=discard:maps, nobody-here=discard:}"),
            ("fallback_transport", dice.choice(["discard:fall", "discard"])),
            ("fallback_transport_maps", "inline:{nobody-here=discard:fmaps}"),
            ("luser_relay", dice.choice(["ann", "$user@far.example", "l1",
                                         "x+$local$domain@far.example",
                                         "${extension?with}${extension:without}@far.example",
                                         "${user}+${extension}@far.example"])),
            ("allow_mail_to_commands", ", ".join(dice.some(classes, 3))),
            ("allow_mail_to_files", ", ".join(dice.some(classes, 3))),
            ("propagate_unmatched_extensions", ", ".join(dice.some(
                classes + ["virtual", "canonical"], 4))),
            ("frozen_delivered_to", "no"),
            ("expand_owner_alias", "yes"), ("reset_owner_alias", "yes"),
            ("owner_request_special", "no"),
            ("prepend_delivered_header", ", ".join(dice.some(["command", "file", "forward"], 2))),
            ("require_home_directory", "yes"), ("strict_mailbox_ownership", "no"),
            ("mailbox_size_limit", "20000"),
            ("command_execution_directory", dice.choice(["$home", "{out}", "{out}/closed",
                                                         "/no/such", "$home/$extension"])),
            # With 1, 3.7 goes round in circles.
            ("duplicate_filter_limit", dice.choice(["0", "100"])),
            ("forward_path", dice.choice(["", "$home/.forward", "$home/.forward${recipient_delimiter}"
                                          "$extension, $home/.forward",
                                          "$home/$user.fwd, ${home}/.forward",
                                          "{lists}/one, $home/.forward",
                                          "$home/.forward${extension?+ext}"])),
            ("enable_original_recipient", "no"), ("append_dot_mydomain", "yes"),
            ("local_command_shell", dice.choice(["/bin/sh -c", "/bin/echo"])),
            ("virtual_alias_maps", "inline:{l2=l1, ann@here.example=bob}")):
        if dice.often(0.13):
            extra[key] = value
    if "mailbox_size_limit" in extra:
        extra["message_size_limit"] = "15000"
    return {**s, **extra}


def recipients(dice, count):
    """Each is one message: the ones with names that stand somewhere first."""
    out = []
    for _ in range(count):
        local = name(dice)
        if dice.often(0.1):
            local = dice.choice([local.upper(), "owner-" + local, '"' + local + '"', "a b", "a/b"])
        if set(local) & set(" /"):
            local = f'"{local}"'
        out.append(f"{local}@{HERE}")
    return out
