"""A client that knows nothing of wardend but its socket: everything else it learns from server reflection.

Usage: reflect.py SOCKET METHOD REQUEST_JSON. Prints one JSON object: {"response": …} or {"code", "details", "errors"}.
"""
import json
import sys

import grpc
from google.protobuf import any_pb2, json_format, message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

socket, method, request = sys.argv[1], sys.argv[2], sys.argv[3]
metadata = [tuple(pair.split("=", 1)) for pair in sys.argv[4:]]
channel = grpc.insecure_channel("unix:" + socket, options=[("grpc.default_authority", "localhost")])
database = ProtoReflectionDescriptorDatabase(channel)
pool = DescriptorPool(database)
service = pool.FindServiceByName("warden.v1.Warden")
descriptor = service.FindMethodByName(method)
input_type = message_factory.GetMessageClass(descriptor.input_type)
output_type = message_factory.GetMessageClass(descriptor.output_type)


def details(error):
    status_type = message_factory.GetMessageClass(pool.FindMessageTypeByName("google.rpc.Status"))
    found = []
    for key, value in error.trailing_metadata():
        if key != "grpc-status-details-bin":
            continue
        for detail in status_type.FromString(value).details:
            name = detail.type_url.split("/")[-1]
            inner = message_factory.GetMessageClass(pool.FindMessageTypeByName(name)).FromString(detail.value)
            found.append({"@type": name, **json_format.MessageToDict(inner)})
    return found


call = channel.unary_unary(
    f"/{service.full_name}/{method}",
    request_serializer=lambda message: message.SerializeToString(),
    response_deserializer=output_type.FromString,
)
try:
    response = call(json_format.Parse(request, input_type()), timeout=10, metadata=metadata)
    print(json.dumps({"services": sorted(database.get_services()), "response": json_format.MessageToDict(response)}))
except grpc.RpcError as error:
    print(json.dumps({"code": error.code().name, "details": error.details(), "errors": details(error)}))
