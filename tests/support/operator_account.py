"""An account for an operator under test, with the rights that the chart gives it, or with fewer."""

from pathlib import Path

import yaml

from support.audit import not_for_people
from support.helm import FULLNAME, Manifest, of_kind, render
from support.kubectl import Kubectl

_RIGHTS = ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")


def account(kubectl: Kubectl, folder: Path, without: str = "") -> str:
    """Make it as Helm would, except for the rights on one resource; returns the path of its kubeconfig."""
    accounts = of_kind(_rendered(kubectl.namespace), "ServiceAccount")
    for manifest in (*(_lessened(role, without) for role in roles(kubectl.namespace)), *accounts):
        assert kubectl.create(manifest) == ""
    config = yaml.safe_load(Path(kubectl.kubeconfig).read_text(encoding="utf-8"))
    token = kubectl("create", "token", FULLNAME).stdout.strip()
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return str(path)


def remove(kubectl: Kubectl) -> None:
    """What lies outside of the namespace."""
    kubectl("delete", "clusterroles,clusterrolebindings", *_outside(kubectl.namespace))


def roles(namespace: str) -> list[Manifest]:
    """Rights of the operator, and who has them."""
    return not_for_people(of_kind(_rendered(namespace), *_RIGHTS))


def _outside(namespace: str) -> list[str]:
    return [f"{FULLNAME}-{part}:{namespace}" for part in ("discovery", "review")]


def _rendered(namespace: str) -> list[Manifest]:
    """What the release makes, without the hooks of uninstall and test."""
    values = {"crds": {"install": False}, "watchNamespaces": [namespace], "metrics": {"secure": {"enabled": True}}}
    manifests = render(values, namespace)
    return [manifest for manifest in manifests if "helm.sh/hook" not in manifest["metadata"].get("annotations", {})]


def _lessened(role: Manifest, resource: str) -> Manifest:
    kept = [
        {**rule, "resources": [name for name in rule["resources"] if name != resource]}
        for rule in role.get("rules", ())
        if rule["resources"] != [resource]
    ]
    return {**role, "rules": kept} if "rules" in role else role
