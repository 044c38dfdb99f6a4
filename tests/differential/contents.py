"""contents.py -- lines of text of every shape, made by chance."""
WORDS = ["alpha", "beta", "gamma", "delta", "red", "green", "x", "From here", "a=b", "=3D", ".", ".."]
EIGHT = ["gr\u00fcn", "\u00e9t\u00e9", "\u00ff", "na\u00efve"]


def text_line(dice):
    line = " ".join(dice.choice(WORDS) for _ in range(dice.randint(0, 6)))
    if dice.often(0.15):
        line += " " + dice.choice(EIGHT)
    if dice.often(0.04):
        line += "y" * dice.choice([80, 990, 1000, 2040, 2060, 4200])
    if dice.often(0.1):
        line = dice.choice(["--", ".", "From ", "\t", " "]) + line
    return line + dice.choice(["", "", "", " ", "\t"]) + "\n"


def text(dice, most=6):
    return "".join(text_line(dice) for _ in range(dice.randint(0, most)))
