"""moto's server with the types of CloudFormation that our stacks have and moto 5.2.5 does not.

    python moto-server.py -H 127.0.0.1 -p PORT

With INVOKE_URL, functions run: their events are posted to INVOKE_URL/NAME, whose answer is theirs. A type that neither moto
nor this file knows fails the stack, where moto would leave it out without a word.
"""

import json
import os
import sys
import urllib.request
import warnings

from moto.awslambda.models import LambdaFunction, lambda_backends
from moto.cloudformation import parsing
from moto.cloudformation.models import CloudFormationBackend
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.common_models import CloudFormationModel
from moto.scheduler.models import scheduler_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

# moto finds types among the subclasses, and Python keeps those by weak references.
TAUGHT = []

# Of the CDK's own bootstrap stack; nothing depends on it.
LEFT_OUT = {"AWS::S3::BucketPolicy"}


def teach(type_name, service, name_property, create, remove, update=None):
    """Make moto know a type.

    create(place, name, properties) gives the physical id; remove(place, id, properties); update(place, id, properties) changes
    what keeps its name, and without it creating once more does. `place` is account and region.
    """

    class Taught(CloudFormationModel):
        __module__ = f"moto.{service}.models"  # moto's metaclass takes the service's name out of it

        def __init__(self, physical_id, properties):
            self.physical_id, self.properties = physical_id, properties

        physical_resource_id = property(lambda self: self.physical_id)

        @staticmethod
        def cloudformation_name_type():
            return name_property

        @staticmethod
        def cloudformation_type():
            return type_name

        @classmethod
        def has_cfn_attr(cls, attr):
            return False

        def is_created(self):
            return True

        @classmethod
        def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **_):
            properties = cloudformation_json["Properties"]
            return cls(create((account_id, region_name), resource_name, properties), properties)

        @classmethod
        def update_from_cloudformation_json(
            cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name
        ):
            place, old, properties = (account_id, region_name), original_resource, cloudformation_json["Properties"]
            if name_property and properties.get(name_property, old.physical_id) != old.physical_id:
                remove(place, old.physical_id, old.properties)
                return cls(create(place, new_resource_name, properties), properties)
            (update or create)(place, old.physical_id, properties)
            return cls(old.physical_id, properties)

        def delete(self, account_id, region_name):
            remove((account_id, region_name), self.physical_id, self.properties)

    TAUGHT.append(Taught)


def at(backends, place):
    return backends[place[0]][place[1]]


# Schedules and their group.


def schedule_of(properties):
    window = {key: int(value) if value.isdigit() else value for key, value in properties["FlexibleTimeWindow"].items()}
    target = json.loads(json.dumps(properties["Target"]))
    retry = target.get("RetryPolicy", {})
    target["RetryPolicy"] = {key: int(value) for key, value in retry.items()}
    return {
        "description": properties.get("Description"),
        "schedule_expression": properties["ScheduleExpression"],
        "schedule_expression_timezone": properties.get("ScheduleExpressionTimezone"),
        "flexible_time_window": window,
        "group_name": properties["GroupName"],
        "state": properties.get("State", "ENABLED"),
        "target": target,
        "start_date": None,
        "end_date": None,
        "kms_key_arn": None,
    }


def create_schedule(place, name, properties):
    arguments = schedule_of(properties)
    return at(scheduler_backends, place).create_schedule(name=name, action_after_completion=None, **arguments).name


def update_schedule(place, name, properties):
    at(scheduler_backends, place).update_schedule(name=name, **schedule_of(properties))


def remove_schedule(place, name, properties):
    # A group takes its schedules with it, and moto deletes in any order.
    if properties["GroupName"] in at(scheduler_backends, place).schedule_groups:
        at(scheduler_backends, place).delete_schedule(properties["GroupName"], name)


def create_group(place, name, properties):
    backend = at(scheduler_backends, place)
    if name in backend.schedule_groups:
        raise ValueError(f"the schedule group {name} exists already")
    return backend.create_schedule_group(name, properties.get("Tags", [])).name


def remove_group(place, name, _):
    at(scheduler_backends, place).delete_schedule_group(name)


teach("AWS::Scheduler::Schedule", "scheduler", "Name", create_schedule, remove_schedule, update_schedule)
teach("AWS::Scheduler::ScheduleGroup", "scheduler", "Name", create_group, remove_group, lambda *_: None)


# Alarms: that they are there, with what they watch and tell. moto has no figures for them to look at.


def create_alarm(place, name, properties):
    at(cloudwatch_backends, place).put_metric_alarm(
        name=name,
        namespace=properties.get("Namespace"),
        metric_name=properties.get("MetricName"),
        comparison_operator=properties["ComparisonOperator"],
        evaluation_periods=int(properties["EvaluationPeriods"]),
        period=int(properties.get("Period", 60)),
        threshold=float(properties["Threshold"]),
        statistic=properties.get("Statistic"),
        description=properties.get("AlarmDescription"),
        dimensions=properties.get("Dimensions", []),
        alarm_actions=properties.get("AlarmActions", []),
        ok_actions=properties.get("OKActions", []),
        treat_missing_data=properties.get("TreatMissingData"),
    )
    return name


def remove_alarm(place, name, _):
    at(cloudwatch_backends, place).delete_alarms([name])


teach("AWS::CloudWatch::Alarm", "cloudwatch", "AlarmName", create_alarm, remove_alarm)


# What belongs to a queue, a topic or a function, and goes with it.


def set_queue_policy(place, name, properties):
    policy = {"Policy": json.dumps(properties["PolicyDocument"])}
    for url in properties["Queues"]:
        at(sqs_backends, place).set_queue_attributes(url.rsplit("/", 1)[1], policy)
    return name


def set_topic_policy(place, name, properties):
    for arn in properties["Topics"]:
        at(sns_backends, place).set_topic_attribute(arn, "policy", json.dumps(properties["PolicyDocument"]))
    return name


def set_invoke_config(place, name, properties):
    keys = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds")
    config = {key: int(properties[key]) for key in keys}
    if "DestinationConfig" in properties:
        config["DestinationConfig"] = properties["DestinationConfig"]
    backend = at(lambda_backends, place)
    backend.get_function(properties["FunctionName"]).event_invoke_config.clear()
    backend.put_function_event_invoke_config(properties["FunctionName"], config)
    return name


teach("AWS::SQS::QueuePolicy", "sqs", "", set_queue_policy, lambda *_: None)
teach("AWS::SNS::TopicPolicy", "sns", "", set_topic_policy, lambda *_: None)
teach("AWS::Lambda::EventInvokeConfig", "awslambda", "", set_invoke_config, lambda *_: None)


def subscribe(place, _, properties):
    backend = at(sns_backends, place)
    return backend.subscribe(properties["TopicArn"], properties["Endpoint"], properties["Protocol"]).arn


teach("AWS::SNS::Subscription", "sns", "", subscribe, lambda place, arn, _: at(sns_backends, place).unsubscribe(arn))


# What moto does otherwise than CloudFormation.

known_class_of = parsing.resource_class_from_type
parameters_of_update = CloudFormationBackend._resolve_update_parameters


def class_of(type_name):
    """moto leaves out a type that it does not know, and its stack succeeds."""
    found = known_class_of(type_name)
    if found is None and type_name not in LEFT_OUT and type_name not in parsing.NULL_MODELS:
        raise ValueError(f"moto does not know {type_name}: teach it in moto-server.py")
    return found


def known_parameters(self, instance, incoming_params):
    """moto fails for the previous value of a parameter that has its default."""
    known = [one for one in incoming_params if not one.get("UsePreviousValue") or one["ParameterKey"] in instance.parameters]
    return parameters_of_update(self, instance, known)


parsing.resource_class_from_type = class_of
CloudFormationBackend._resolve_update_parameters = known_parameters


# Functions.


def invoke(self, event=None):
    """Gives (answer, whether it is an error, log) of a function, whose event is an object."""
    url = f"{os.environ['INVOKE_URL']}/{self.function_name}"
    request = urllib.request.Request(url, data=json.dumps(event).encode())
    with urllib.request.urlopen(request) as response:
        return response.read().decode(), response.headers.get("X-Function-Error") is not None, ""


if "INVOKE_URL" in os.environ:
    LambdaFunction._invoke_lambda = invoke

if __name__ == "__main__":
    from moto.server import main

    warnings.filterwarnings("ignore", message="This is a development server")
    main(sys.argv[1:])
