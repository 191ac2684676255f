"""Operations of SQS's API on queues: make, find, list, read, change, tag, purge, delete."""

from __future__ import annotations

from grandstand.errors import NotFound, ServiceFault
from grandstand.functions.queues.ports import QueueSettings
from grandstand.kinds import Object

from . import asked, attributes
from .calls import Call, Parts, queue_name
from .faults import invalid, invalid_value, missing, no_queue, unsupported
from .names import is_shown, queue_url
from .pages import page

_MOST_TAGS, _MOST_KEY, _MOST_VALUE = 50, 128, 256
_DEFAULTS = QueueSettings()


async def create(parts: Parts, call: Call) -> Object:
    """A queue that is there with other values of the given attributes is refused; its tags are not compared."""
    wanted = asked.read(call.body, asked.CreateQueue)
    name, given, tags = wanted.queue_name, wanted.attributes or {}, wanted.tags or {}
    if not name:
        raise missing("QueueName")
    if name.endswith(".fifo"):
        raise unsupported(f"The FIFO queue {name}", "messages come roughly in the order of sending: leave out .fifo")
    if not is_shown(name):
        raise invalid("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
    settings = attributes.settings_with(_DEFAULTS, given, parts.home)
    await _check_dead_letters(parts, name, settings, given)
    _check_tags(name, tags)
    async with parts.changing:
        queue = await parts.queues.create(name, settings, tags)
    if (other := attributes.differing(queue.settings, given, parts.home)) is not None:
        message = f"A queue already exists with the same name and a different value for attribute {other}"
        raise ServiceFault("QueueNameExists", message, 400)
    return {"QueueUrl": queue_url(parts.home, call.host, name)}


async def delete(parts: Parts, call: Call) -> None:
    await parts.queues.delete(queue_name(asked.read(call.body, asked.OfQueue).queue_url, parts.home))


async def find(parts: Parts, call: Call) -> Object:
    wanted = asked.read(call.body, asked.GetQueueUrl)
    name = wanted.queue_name
    if not name:
        raise missing("QueueName")
    if not is_shown(name) or wanted.owner not in (None, "", parts.home.account):
        raise no_queue()
    await parts.queues.get(name)
    return {"QueueUrl": queue_url(parts.home, call.host, name)}


async def list_all(parts: Parts, call: Call) -> Object:
    """As AWS does, a list without entries is left out, and pages are given to who asks for them."""
    wanted = asked.read(call.body, asked.ListQueues)
    names = [name for name in await parts.queues.names(wanted.queue_name_prefix or "") if is_shown(name)]
    found, token = page(names, wanted.next_token, wanted.max_results)
    shown: Object = {"QueueUrls": [queue_url(parts.home, call.host, name) for name in found]} if found else {}
    return shown | ({"NextToken": token} if token and wanted.max_results else {})


async def list_sources(parts: Parts, call: Call) -> Object:
    """The queues that give their messages up to this one."""
    wanted = asked.read(call.body, asked.ListDeadLetterSourceQueues)
    target = queue_name(wanted.queue_url, parts.home)
    await parts.queues.get(target)
    sources = [
        name for name in await parts.queues.names() if is_shown(name) and await _gives_up_to(parts, name, target)
    ]
    found, token = page(sources, wanted.next_token, wanted.max_results)
    shown: Object = {"queueUrls": [queue_url(parts.home, call.host, name) for name in found]}
    return shown | ({"NextToken": token} if token and wanted.max_results else {})


async def read(parts: Parts, call: Call) -> Object:
    wanted = asked.read(call.body, asked.GetQueueAttributes)
    name = queue_name(wanted.queue_url, parts.home)
    queue, counts = await parts.queues.get(name), await parts.queues.counts(name)
    found = attributes.shown(queue, counts, wanted.attribute_names or [], parts.home)
    return {"Attributes": found} if found else {}


async def change(parts: Parts, call: Call) -> None:
    wanted = asked.read(call.body, asked.SetQueueAttributes)
    name = queue_name(wanted.queue_url, parts.home)
    if wanted.attributes is None:
        raise missing("Attributes")
    async with parts.changing:
        queue = await parts.queues.get(name)
        settings = attributes.settings_with(queue.settings, wanted.attributes, parts.home)
        await _check_dead_letters(parts, name, settings, wanted.attributes)
        await parts.queues.change(name, settings)


async def purge(parts: Parts, call: Call) -> None:
    await parts.queues.purge(queue_name(asked.read(call.body, asked.OfQueue).queue_url, parts.home))


async def tag(parts: Parts, call: Call) -> None:
    wanted = asked.read(call.body, asked.TagQueue)
    name = queue_name(wanted.queue_url, parts.home)
    if not wanted.tags:
        raise missing("Tags")
    async with parts.changing:
        tags = {**(await parts.queues.get(name)).tags, **wanted.tags}
        _check_tags(name, tags)
        await parts.queues.tag(name, tags)


async def untag(parts: Parts, call: Call) -> None:
    wanted = asked.read(call.body, asked.UntagQueue)
    name = queue_name(wanted.queue_url, parts.home)
    if not wanted.tag_keys:
        raise missing("TagKeys")
    async with parts.changing:
        tags = (await parts.queues.get(name)).tags
        await parts.queues.tag(name, {key: value for key, value in tags.items() if key not in wanted.tag_keys})


async def list_tags(parts: Parts, call: Call) -> Object:
    tags = (await parts.queues.get(queue_name(asked.read(call.body, asked.OfQueue).queue_url, parts.home))).tags
    return {"Tags": dict(tags)} if tags else {}


async def _check_dead_letters(parts: Parts, name: str, settings: QueueSettings, given: dict[str, str]) -> None:
    """Only where they are set: other attributes can be changed when the target is gone."""
    if attributes.REDRIVE not in given or settings.dead_letters is None:
        return
    value = given[attributes.REDRIVE]
    if settings.dead_letters.queue == name:
        reason = "Dead letter target must be another queue: messages would stay for ever."
        raise invalid_value(value, attributes.REDRIVE, reason)
    try:
        await parts.queues.get(settings.dead_letters.queue)
    except NotFound:
        raise invalid_value(value, attributes.REDRIVE, "Dead letter target does not exist.") from None


async def _gives_up_to(parts: Parts, name: str, target: str) -> bool:
    try:
        rule = (await parts.queues.get(name)).settings.dead_letters
    except NotFound:  # deleted since it was listed
        return False
    return rule is not None and rule.queue == target


def _check_tags(name: str, tags: dict[str, str]) -> None:
    if len(tags) > _MOST_TAGS:
        raise invalid(f"Too many tags added for queue {name}: at most {_MOST_TAGS}.")
    for key, value in tags.items():
        if not 1 <= len(key) <= _MOST_KEY or len(value) > _MOST_VALUE:
            raise invalid(
                f"Tags have keys of 1 to {_MOST_KEY} and values of up to {_MOST_VALUE} characters: {key[:_MOST_KEY]}"
            )
