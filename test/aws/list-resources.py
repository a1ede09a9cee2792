"""What there is in an account, as JSON: names by kind, kinds that have none left out. Takes the endpoint of the services."""

import json
import sys

import boto3

# Kind, service, operation, where in its answer the list is, what of an element is its name.
KINDS = [
    ("stacks", "cloudformation", "describe_stacks", "Stacks", "StackName"),
    ("alarms", "cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    ("dashboards", "cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    ("tables", "dynamodb", "list_tables", "TableNames", None),
    ("repositories", "ecr", "describe_repositories", "repositories", "repositoryName"),
    ("roles", "iam", "list_roles", "Roles", "RoleName"),
    ("functions", "lambda", "list_functions", "Functions", "FunctionName"),
    ("log groups", "logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("buckets", "s3", "list_buckets", "Buckets", "Name"),
    ("schedule groups", "scheduler", "list_schedule_groups", "ScheduleGroups", "Name"),
    ("schedules", "scheduler", "list_schedules", "Schedules", "Name"),
    ("subscriptions", "sns", "list_subscriptions", "Subscriptions", "Endpoint"),
    ("topics", "sns", "list_topics", "Topics", "TopicArn"),
    ("queues", "sqs", "list_queues", "QueueUrls", None),
    ("parameters", "ssm", "describe_parameters", "Parameters", "Name"),
]


def names_of(endpoint, service, operation, where, name):
    client = boto3.client(service, endpoint_url=endpoint)
    pages = client.get_paginator(operation).paginate() if client.can_paginate(operation) else [getattr(client, operation)()]
    return sorted(one if name is None else one[name] for page in pages for one in page.get(where, []))


found = {kind: names_of(sys.argv[1], *how) for kind, *how in KINDS}
print(json.dumps({kind: names for kind, names in found.items() if names}))
