"""SQS as boto3 meets it on the port of a running engine."""

import json

import boto3
import pytest


@pytest.fixture(scope="module")
def sqs(engine):
    key = json.loads((engine.data / "functions/access-key.json").read_text())
    port = json.loads((engine.data / "engine.json").read_text())["lambdaPort"]
    return boto3.client(
        "sqs",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id=key["access_key_id"],
        aws_secret_access_key=key["secret_access_key"],
    )


@pytest.fixture
def queue(sqs):
    url = sqs.create_queue(QueueName="e2e-jobs", Attributes={"VisibilityTimeout": "60"})["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


def test_a_message_goes_round(sqs, queue):
    text = {"DataType": "String", "StringValue": "text"}
    sent = sqs.send_message(QueueUrl=queue, MessageBody="hello", MessageAttributes={"a": text})
    found = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5, MessageAttributeNames=["All"])
    (message,) = found["Messages"]
    assert (message["MessageId"], message["Body"]) == (sent["MessageId"], "hello")
    assert message["MessageAttributes"] == {"a": text}
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    asked = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=asked)["Attributes"]
    assert counts == dict.fromkeys(asked, "0")


def test_a_queue_that_is_not_there(sqs):
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.get_queue_url(QueueName="none-such")
