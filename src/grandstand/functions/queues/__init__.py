"""Durable queues with the manners of SQS: visibility time-outs, delays, dead letters."""
