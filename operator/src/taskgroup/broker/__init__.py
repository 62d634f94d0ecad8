"""How messages reach Celery's workers: the envelope, the queue's keys in Redis, and every change made to them."""
