"""Worker pods of the world in memory: they take messages, end items, die, and come and go with the Deployment."""

from dataclasses import replace

from support.world_redis import Books
from taskgroup.core.groups.observed import DeploymentFacts, FailedItem, PodFacts, WorkerFacts


class Workers:
    """The Deployment and its pods."""

    def __init__(self, redis: Books, concurrency: int) -> None:
        self.replicas: int | None = None
        """None: there is no Deployment."""
        self.known = True
        """The app registers the task."""
        self._redis = redis
        self._concurrency = concurrency
        self._pods: dict[str, PodFacts] = {}

    def facts(self) -> WorkerFacts:
        """What the operator sees; an ended pod stays until nobody waits for its items."""
        held = self._redis.held()
        pods = tuple(pod for pod in self._pods.values() if not pod.ended or held.get(pod.name))
        if self.replicas is None:
            return WorkerFacts(pods=pods)
        ready = sum(1 for pod in pods if pod.ready)
        return WorkerFacts(deployment=DeploymentFacts(replicas=self.replicas, ready=ready, settled=True), pods=pods)

    def live(self) -> list[PodFacts]:
        """Pods that run, in a fixed order."""
        return [pod for pod in self._pods.values() if not pod.ended]

    def settle(self) -> None:
        """The Deployment's controller and the kubelet: as many pods as wanted, idle ones stopped first."""
        live = sorted(self.live(), key=lambda pod: self._redis.held().get(pod.name, 0))
        for pod in live[: max(0, len(live) - (self.replicas or 0))]:
            self._pods[pod.name] = replace(pod, ended=True, terminating=True, ready=False)
        for _ in range((self.replicas or 0) - len(live)):
            name = f"p{len(self._pods)}"
            self._pods[name] = PodFacts(name=name, ready=True, started_at=0.0)

    def take(self, choice: int) -> None:
        """A worker with a free slot takes the next message."""
        unacked = self._redis.unacked
        free = [pod for pod in self.live() if len(unacked.get(pod.name, ())) < self._concurrency]
        if free and self._redis.queue:
            unacked.setdefault(free[choice % len(free)].name, []).append(self._redis.queue.pop(0))

    def end(self, choice: int, failure: str | None = None) -> None:
        """One running item ends: its result is written (SUCCESS is never overwritten), its message acknowledged."""
        running = [(pod.name, message) for pod in self.live() for message in self._redis.unacked.get(pod.name, ())]
        if not running:
            return
        pod, message = running[choice % len(running)]
        result = FailedItem(message.index, failure, "bad") if failure else None
        if not self.known:
            result = FailedItem(message.index, "NotRegistered", "'shop.send'")
        if self._redis.results.get(message, result) is not None or message not in self._redis.results:
            self._redis.results[message] = result
        self._redis.unacked[pod].remove(message)

    def die(self, choice: int, *, restart: bool) -> None:
        """A container ends with what it holds; it starts again in its pod, or the pod is gone."""
        live = self.live()
        if not live:
            return
        pod = live[choice % len(live)]
        if restart:
            self._pods[pod.name] = replace(pod, restarts=pod.restarts + 1)
            self._redis.orphaned.setdefault(pod.name, []).extend(self._redis.unacked.pop(pod.name, []))
        else:
            self._pods[pod.name] = replace(pod, ended=True, ready=False)
