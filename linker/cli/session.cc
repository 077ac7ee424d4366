#include "linker/cli/session.h"

#include <iostream>

#include "proto/link/filter.h"

namespace farshore::cli {

api::Control::Stub& Session::stub() {
  if (stub_) return *stub_;
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kAnswerBytesMax);
  auto channel = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  stub_ = api::Control::NewStub(std::move(channel));
  return *stub_;
}

void Session::begin(grpc::ClientContext& context, std::chrono::seconds limit) {
  waited_ = timeout_s > 0 ? std::chrono::seconds(timeout_s) : limit;
  context.set_deadline(std::chrono::system_clock::now() + waited_);
}

void Session::check(const grpc::Status& status) const {
  if (status.ok()) return;
  std::string text = status.error_message();
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE)
    text = "no gateway answers at " + address + " (" + text +
           "); is farshore-gateway running? --api or FARSHORE_API names another";
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED)
    text = "the gateway at " + address + " did not answer within " + std::to_string(waited_.count()) +
           " s (--timeout): the command was given up, and the gateway begins nothing more of it";
  throw CommandFailed{text, status.error_code() == grpc::StatusCode::INVALID_ARGUMENT ? 2 : 1};
}

void Session::print(const nlohmann::ordered_json& json) const { std::cout << json.dump(2) << std::endl; }
void Session::print(const google::protobuf::Message& message) const { print(to_json(message)); }

api::Filter parse_filter(const std::string& text) {
  auto parsed = farshore::parse_filter(text);
  if (!parsed) throw CommandFailed{parsed.error().detail, 2};
  api::Filter filter;
  filter.set_name(parsed->name);
  if (parsed->pattern == PatternType::kPrefixed) filter.set_pattern(api::Filter::PREFIXED);
  if (parsed->type == FilterType::kExclude) filter.set_kind(api::Filter::EXCLUDE);
  return filter;
}

std::string join(const std::vector<std::string>& parts, const char* separator) {
  std::string text;
  for (const auto& part : parts) text += (text.empty() ? "" : separator) + part;
  return text;
}

}  // namespace farshore::cli
