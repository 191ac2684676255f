"""SQS as boto3 meets it on the port of a running engine."""

import json

import pytest
from aws import client_of
from conftest import start


@pytest.fixture(scope="module")
def sqs(engine):
    return client_of(engine, "sqs")


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


def test_what_was_sent_outlives_a_killed_engine_and_is_given_up_after_it(other_data):
    place = start(other_data)
    sqs = client_of(place, "sqs")
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    given = {"VisibilityTimeout": "0", "RedrivePolicy": redrive}
    jobs = sqs.create_queue(QueueName="jobs", Attributes=given)["QueueUrl"]
    sent = sqs.send_message(QueueUrl=jobs, MessageBody="hello")["MessageId"]
    place.crash()
    sqs = client_of(place.start(), "sqs")
    (message,) = sqs.receive_message(QueueUrl=jobs)["Messages"]
    assert (message["MessageId"], message["Body"]) == (sent, "hello")
    assert "Messages" not in sqs.receive_message(QueueUrl=jobs)
    (given_up,) = sqs.receive_message(QueueUrl=dead, AttributeNames=["DeadLetterQueueSourceArn"])["Messages"]
    assert given_up["MessageId"] == sent
    assert given_up["Attributes"]["DeadLetterQueueSourceArn"].endswith(":jobs")
