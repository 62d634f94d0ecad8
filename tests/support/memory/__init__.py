"""Brokers, results and a cluster in memory: the ports kept in another way than by Redis and Kubernetes.

For properties of whole lives, where thousands of stories run in seconds. The same contract tests hold them and the real
ones to one behaviour; what real Redis, Celery and Kubernetes do beyond that is tested against the real ones.
"""
