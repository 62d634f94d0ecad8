"""TaskGroups whose deletion nobody told: the finalizer was taken away by force while the watch was interrupted.

Their loops would go on for ever, so now and then the metadata of all TaskGroups are listed.
"""

import asyncio
import logging

from taskgroup.cluster.client import Cluster
from taskgroup.cluster.errors import ApiError
from taskgroup.cluster.resources import TASK_GROUPS
from taskgroup.loops.meeting import Meetings

PERIOD_SECONDS = 600.0


class Vanished:
    """Ends the loops of objects that are gone."""

    def __init__(self, cluster: Cluster, meetings: Meetings, watched: tuple[str, ...], log: logging.Logger) -> None:
        self._cluster = cluster
        self._meetings = meetings
        self._scopes = watched or ("",)
        self._log = log

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(PERIOD_SECONDS)
            try:
                await self.look()
            except ApiError as error:
                self._log.info("TaskGroups that vanished are looked for later: %s", error)

    async def look(self) -> None:
        """One look. What was followed before the list and is not in it is gone."""
        before, there = self._meetings.uids(), set[str]()
        for scope in self._scopes:
            found = await self._cluster.list_all(TASK_GROUPS, scope, metadata_only=True)
            there |= {group["metadata"]["uid"] for group in found}
        for uid in before - there:
            if meeting := self._meetings.find(uid):
                self._log.warning("The TaskGroup with the uid %s is gone, though no watch told so: its loops end.", uid)
                meeting.end()
