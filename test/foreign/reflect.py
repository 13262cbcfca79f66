"""A client that knows nothing of wardend but its socket: everything else it learns from server reflection.

Usage: reflect.py SOCKET METHOD REQUEST_JSON [KEY=VALUE of metadata …]. METHOD is one of warden.v1.Warden's, or SERVICE/METHOD;
REFLECTION=v1 in the environment asks for the descriptors by the newer service of the same shape. Prints one JSON object: {"response": …} or {"code", "details", "errors"}.
"""
import json
import os
import sys

import grpc
from google.protobuf import any_pb2, json_format, message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

socket, method, request = sys.argv[1], sys.argv[2], sys.argv[3]
metadata = [tuple(pair.split("=", 1)) for pair in sys.argv[4:]]
channel = grpc.insecure_channel("unix:" + socket, options=[("grpc.default_authority", "localhost")])
database = ProtoReflectionDescriptorDatabase(channel)
if os.environ.get("REFLECTION") == "v1":
    # The library has no v1 of its own yet; only the name of the service differs.
    database._stub.ServerReflectionInfo = channel.stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
pool = DescriptorPool(database)
service_name, _, method = method.rpartition("/")
service = pool.FindServiceByName(service_name or "warden.v1.Warden")
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
