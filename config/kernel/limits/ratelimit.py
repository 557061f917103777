"""Token buckets shared by all processes: in Redis where it is configured, in rows otherwise and while Redis is away."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from math import floor

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

from config.kernel.flow import clock
from config.kernel.models import Bucket

# Nobody waits for a limiter: after an error the rows answer for a while before Redis is asked again.
REDIS_SECONDS = 0.3
PAUSE_SECONDS = 2
# Two processes meet on one row rarely; who loses that often is asked to come back at once.
ROUNDS = 20
CROWDED_SECONDS = 0.05
# Sums of floats end just below the whole token that they mean.
GRAIN = 1e-6

# KEYS[1] the bucket; ARGV: now, tokens per second, burst, wanted, whether fewer will do. Answers granted and what is left.
LUA = """
local now, rate, burst, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(kept[1]) or burst, tonumber(kept[2]) or now
tokens = math.min(burst, tokens + math.max(0, now - at) * rate)
local granted = math.min(wanted, math.floor(tokens + 1e-6))
if ARGV[5] == '0' and granted < wanted then granted = 0 end
tokens = tokens - granted
if wanted > 0 then
  redis.call('HSET', KEYS[1], 'tokens', string.format('%.17g', tokens), 'at', string.format('%.17g', math.max(now, at)))
  redis.call('EXPIRE', KEYS[1], math.ceil(math.min(burst / rate, 86400)) + 60)
end
return {granted, string.format('%.17g', tokens)}
"""


@dataclass(frozen=True)
class Rate:
    """A bucket of `burst` tokens that fills by `per_second`."""

    per_second: float
    burst: int


@dataclass(frozen=True)
class Draw:
    """How many tokens were granted, and how many are left (a fraction)."""

    granted: int
    left: float


_rows_until: datetime | None = None


def take(key: str, *, per_second: float, burst: int, amount: int = 1) -> float:
    """Take `amount` tokens: 0.0 when taken, else the seconds until there is room (nothing is taken then).

    More than a whole bucket is treated as a whole bucket. Raises ValueError for a rate or burst that is not positive.
    """
    wanted = min(amount, burst)
    draw = _draw(key, _rate(per_second, burst), wanted, will_take_fewer=False)
    if draw.granted >= wanted:
        return 0.0
    return max((wanted - draw.left) / per_second, CROWDED_SECONDS / 10)


def take_many(key: str, wanted: int, *, per_second: float, burst: int) -> int:
    """Take up to `wanted` tokens; how many were granted."""
    if wanted <= 0:
        return 0
    return _draw(key, _rate(per_second, burst), wanted, will_take_fewer=True).granted


def peek(key: str, *, per_second: float, burst: int) -> float:
    """How many tokens are there now (a fraction); takes none."""
    return _draw(key, _rate(per_second, burst), 0, will_take_fewer=True).left


def wait_seconds(key: str, *, per_second: float, burst: int) -> float:
    """Seconds until one token is there; 0.0 when there is. Takes none."""
    missing = 1 - peek(key, per_second=per_second, burst=burst)
    return max(missing / per_second, 0.0) if missing > GRAIN else 0.0


def _rate(per_second: float, burst: int) -> Rate:
    if per_second <= 0 or burst <= 0:
        raise ValueError("a rate limit needs a positive rate and a positive burst")
    return Rate(per_second, burst)


def _draw(key: str, rate: Rate, wanted: int, *, will_take_fewer: bool) -> Draw:
    global _rows_until  # noqa: PLW0603 - remembered per process, on purpose
    now = clock.now()
    if settings.REDIS_URL and (_rows_until is None or _rows_until <= now):
        try:
            return _draw_from_redis(key, rate, wanted, will_take_fewer=will_take_fewer)
        except redis.RedisError:
            _rows_until = now + timedelta(seconds=PAUSE_SECONDS)
    return _draw_from_row(key, rate, wanted, will_take_fewer=will_take_fewer)


def _draw_from_redis(key: str, rate: Rate, wanted: int, *, will_take_fewer: bool) -> Draw:
    arguments = [repr(clock.now().timestamp()), repr(float(rate.per_second)), rate.burst, wanted, int(will_take_fewer)]
    granted, left = _script(settings.REDIS_URL, settings.REDIS_PASSWORD)(keys=[f"steward:bucket:{key}"], args=arguments)
    return Draw(int(granted), float(left))


@lru_cache(maxsize=4)
def _script(url: str, password: str) -> Callable[..., tuple[int, bytes]]:
    client = redis.Redis.from_url(
        url,
        socket_connect_timeout=REDIS_SECONDS,
        socket_timeout=REDIS_SECONDS,
        retry=Retry(NoBackoff(), 0),
        **({"password": password} if password else {}),
    )
    script: Script = client.register_script(LUA)
    return script


def _draw_from_row(key: str, rate: Rate, wanted: int, *, will_take_fewer: bool) -> Draw:
    """Read, reckon, write if nobody wrote in between; a lost round is played again."""
    now = clock.now().timestamp()
    for _ in range(ROUNDS):
        row = Bucket.objects.filter(key=key).first()
        if row is None:
            Bucket.objects.bulk_create([Bucket(key=key, tokens=rate.burst, filled_at=now)], ignore_conflicts=True)
            continue
        tokens = min(float(rate.burst), row.tokens + max(0.0, now - row.filled_at) * rate.per_second)
        granted = min(wanted, floor(tokens + GRAIN))
        if granted < wanted and not will_take_fewer:
            granted = 0
        if not granted:
            return Draw(0, tokens)
        unchanged = Bucket.objects.filter(pk=row.pk, tokens=row.tokens, filled_at=row.filled_at)
        if unchanged.update(tokens=tokens - granted, filled_at=max(now, row.filled_at)):
            return Draw(granted, tokens - granted)
    return Draw(0, max(0.0, 1 - CROWDED_SECONDS * rate.per_second))
