#!/usr/bin/python3
"""redis: and memcache: tables, with a Redis and a memcached server of the test's own."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import play
import servers
import harness
from harness import check_equal


def main():
    redis, cache = servers.Server("usr/bin/redis-server"), servers.Server("usr/bin/memcached")
    if not redis.is_there() or not cache.is_there():
        harness.finish()
    redis_socket, cache_socket = f"{redis.home}/socket", f"{cache.home}/socket"

    def start_redis():
        redis.start("--port", "0", "--unixsocket", redis_socket, "--unixsocketperm", "777",
                    "--requirepass", "it's", "--dir", redis.home, "--appendonly", "yes",
                    "--appendfsync", "always", ready=redis_socket)

    def start_cache():
        cache.start("-s", cache_socket, "-a", "777", "-m", "8", ready=cache_socket)

    def redis_do(*words):
        redis.run(f"{servers.DEBIAN}/usr/bin/redis-cli", "-s", redis_socket, "-n", "3",
                  "--no-auth-warning", "-a", "it's", *words)

    start_redis()
    start_cache()
    for key, value in play.ROWS.items():
        redis_do("SET", f"r:{key}", value)
        redis_do("HSET", "users", key, value)
    redis_do("RPUSH", "list:two", "a", "b")
    mta = harness.Instance()
    access = (f"hosts = unix:{redis_socket}\npassword = it's\ndbname = 3\n"
              "retry_interval = 1s\n")
    mta.write("a.cf", access + "query = GET r:%s\n")
    mta.write("hash.cf", access + "query = HGET users %s\n")
    mta.write("list.cf", access + "query = LRANGE list:%u 0 -1\n")
    mta.write("bad.cf", access + "query = NONSENSE %s\n")
    mta.write("wrong.cf", (access + "query = GET %s\n").replace("it's", "no"))
    mta.write("behind", "".join(f"{k} {v}\n" for k, v in play.ROWS.items()
                                if "\\" not in k and "'" not in k and "*" not in k))
    mta.write("cache.cf", f"memcache = unix:{cache_socket}\nkey_format = c:%s\n"
                          f"backup = texthash:{mta.etc}/behind\nretry_interval = 1s\n")
    mta.write("alone.cf", f"memcache = unix:{cache_socket}\nkey_format = c:%s\n"
                          "retry_interval = 1s\n")
    a, cached = f"redis:{mta.etc}/a.cf", f"memcache:{mta.etc}/cache.cf"
    mta.write("other", "other@example.org REJECT to another\n")
    mta.write_configuration(
        smtpd_relay_restrictions="permit", proxy_read_maps=f"proxy:{a}",
        smtpd_recipient_restrictions=f"check_recipient_access texthash:{mta.etc}/other, "
        f"check_recipient_access proxy:{a}, reject")
    mta.start()
    play.finds_all(mta)
    for name, key, want in (("redis:hash", "o'neil@example.org", "REJECT to oneil\n"),
                            ("redis:list", "two@example.org", "a,b\n"),
                            ("redis:bad", "x", ""), ("redis:wrong", "x", ""),
                            ("memcache:alone", "alice@example.org", ""),
                            ("memcache:cache", "alice@example.org", "REJECT to alice\n"),
                            ("memcache:alone", "alice@example.org", "REJECT to alice\n"),
                            ("memcache:cache", "nobody@example.org", ""),
                            ("memcache:cache", "a b", "")):
        kind, file = name.split(":")
        out = mta.run("postmap", "-q", key, f"{kind}:{mta.etc}/{file}.cf")
        check_equal(out.stdout, want, f"postmap -q {key} {name}: {out.stderr}")
        if file in ("bad", "wrong"):
            harness.check_match("unknown command|invalid password|WRONGPASS", out.stderr, name)
    play.gone_and_back(mta, redis.stop, start_redis, other=("other@example.org", "to another"))
    # A cache that is away does not matter; alone it does.
    cache.stop()
    out = mta.run("postmap", "-q", "alice@example.org", cached)
    check_equal(out.stdout, "REJECT to alice\n", "the table behind a dead cache")
    out = mta.run("postmap", "-q", "alice@example.org", f"memcache:{mta.etc}/alone.cf")
    harness.check_match("Connection refused", out.stderr, "a dead cache alone")
    play.free_of_warnings(mta, "the jail")
    mta.stop()
    redis.close()
    cache.close()
    harness.finish()


main()
