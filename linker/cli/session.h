// The parts that every command shares: where the gateway is, how to print, and how a failed call becomes one line and
// an exit code.
#pragma once

#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/net.h"
#include "linker/cli/output.h"
#include "proto/control/control.grpc.pb.h"

namespace farshore::cli {

namespace api = control::v1;

// Thrown inside a command, caught in main: ends it with this line on stderr and this exit code.
struct CommandFailed {
  std::string text;
  int exit_code = 1;
};

struct Session {
  std::string address = "127.0.0.1:9870";  // --api, or FARSHORE_API
  std::string output = "human";            // -o
  int timeout_s = 0;                       // --timeout, of every command; 0: the command's own limit

  // Whether a broker answers at the address now, within a second; set by main(), which has an Env.
  std::function<Status(const Endpoint&)> ask_broker;

  bool json() const { return output == "json"; }
  api::Control::Stub& stub();

  // One call with a deadline; throws CommandFailed with the gateway's own words.
  template <class Request, class Reply>
  Reply call(grpc::Status (api::Control::Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
             const Request& request) {
    grpc::ClientContext context;
    begin(context, kAnswerLimit);
    Reply reply;
    check((stub().*method)(&context, request, &reply));
    return reply;
  }
  // Every call has a deadline: --timeout, or the command's own limit. What the gateway has not begun by then it does
  // not do any more.
  void begin(grpc::ClientContext& context, std::chrono::seconds limit);
  void check(const grpc::Status& status) const;
  void print(const google::protobuf::Message& message) const;  // as JSON
  void print(const nlohmann::ordered_json& json) const;

 private:
  static constexpr int kAnswerBytesMax = 256 << 20;        // one answer names every topic and partition
  static constexpr std::chrono::seconds kAnswerLimit{30};  // of a command that is one question

  std::chrono::seconds waited_ = kAnswerLimit;
  std::unique_ptr<api::Control::Stub> stub_;
};

// Each adds its subcommands to `app`; the callbacks run the commands.
void add_link_commands(CLI::App& app, Session& session);
void add_mirror_commands(CLI::App& app, Session& session);
void add_offsets_commands(CLI::App& app, Session& session);
void add_status_command(CLI::App& app, Session& session);
void add_wait_command(CLI::App& app, Session& session);

api::Filter parse_filter(const std::string& text);  // 'orders*', 'orders', '*', '!orders-test'; throws CommandFailed
std::string join(const std::vector<std::string>& parts, const char* separator);

}  // namespace farshore::cli
