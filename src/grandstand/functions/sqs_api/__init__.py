"""SQS's API on Lambda's port: AWS's JSON protocol, translated to durable queues."""
