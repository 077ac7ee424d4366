// Errors of the gateway as gRPC status codes.
#pragma once

#include <grpcpp/grpcpp.h>

#include "base/result.h"

namespace farshore::linker {

// The message is the error's text, made printable (a gRPC message is UTF-8).
grpc::Status to_grpc(const Error& error);

}  // namespace farshore::linker
