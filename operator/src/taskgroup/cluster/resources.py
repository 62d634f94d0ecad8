"""The kinds of objects that the operator touches, and where the API server keeps them."""

from dataclasses import dataclass
from urllib.parse import quote

from taskgroup.api.names import API_VERSION, KIND, LEDGER_KIND, LEDGER_PLURAL, PLURAL


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of the Kubernetes API; objects without a namespace are asked for with an empty one."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str, name: str | None = None, subresource: str | None = None) -> str:
        """The URL path of the collection (of all namespaces for an empty one), of one object, or of its subresource."""
        root = "apis" if "/" in self.api_version else "api"
        scope = ["namespaces", quote(namespace, safe="")] if namespace else []
        parts = [root, self.api_version, *scope, self.plural]
        parts += [quote(part, safe="") for part in (name, subresource) if part]
        return "/" + "/".join(parts)

    def label(self, namespace: str, name: str | None) -> str:
        """The object in words; without a name, the collection."""
        what = f'{self.kind} "{name}"' if name else self.plural
        if not self.namespaced:
            return what
        return f'{what} in namespace "{namespace}"' if namespace else f"{what} in all namespaces"


TASK_GROUPS = Resource(API_VERSION, KIND, PLURAL)
LEDGERS = Resource(API_VERSION, LEDGER_KIND, LEDGER_PLURAL)
DEPLOYMENTS = Resource("apps/v1", "Deployment", "deployments")
PODS = Resource("v1", "Pod", "pods")
SECRETS = Resource("v1", "Secret", "secrets")
EVENTS = Resource("v1", "Event", "events")
NAMESPACES = Resource("v1", "Namespace", "namespaces", namespaced=False)
TOKEN_REVIEWS = Resource("authentication.k8s.io/v1", "TokenReview", "tokenreviews", namespaced=False)
SUBJECT_ACCESS_REVIEWS = Resource(
    "authorization.k8s.io/v1", "SubjectAccessReview", "subjectaccessreviews", namespaced=False
)
LEASES = Resource("coordination.k8s.io/v1", "Lease", "leases")
