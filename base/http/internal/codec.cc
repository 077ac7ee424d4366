#include "base/http/internal/codec.h"

#include <algorithm>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <sstream>

namespace farshore::http {

namespace beast = boost::beast::http;

struct RequestDecoder::Impl {
  beast::request_parser<beast::empty_body> parser;
  ParsedRequest request;
  bool done = false;

  void refuse(int status) {
    request.refused_status = status;
    done = true;
  }

  void refuse(const boost::system::error_code& failure) {
    if (failure == beast::error::header_limit || failure == beast::error::buffer_overflow) return refuse(431);
    if (failure == beast::error::bad_version) return refuse(505);
    refuse(400);
  }

  void take_header() {
    const auto& message = parser.get();
    const bool has_body = parser.chunked() || parser.content_length().value_or(0) > 0;
    const std::string_view target(message.target().data(), message.target().size());
    if (has_body || !target.starts_with('/')) return refuse(400);
    request.method = std::string(message.method_string());
    request.keep_alive = message.keep_alive();
    const size_t question = std::min(target.find('?'), target.size());
    request.request.path = target.substr(0, question);
    if (question < target.size()) request.request.query = target.substr(question + 1);
    done = true;
  }
};

RequestDecoder::RequestDecoder(size_t header_bytes_max) : impl_(std::make_unique<Impl>()) {
  impl_->parser.header_limit(static_cast<uint32_t>(header_bytes_max));
}

RequestDecoder::~RequestDecoder() = default;

size_t RequestDecoder::feed(std::string_view bytes) {
  boost::system::error_code failure;
  const size_t used = impl_->parser.put(boost::asio::buffer(bytes.data(), bytes.size()), failure);
  if (failure && failure != beast::error::need_more)
    impl_->refuse(failure);
  else if (impl_->parser.is_header_done())
    impl_->take_header();
  return used;
}

bool RequestDecoder::done() const { return impl_->done; }
const ParsedRequest& RequestDecoder::request() const { return impl_->request; }

std::string encode(const HttpResponse& response, bool with_body, bool keep_alive) {
  beast::response<beast::string_body> message(static_cast<beast::status>(response.status), 11);
  message.set(beast::field::content_type, response.content_type);
  message.set(beast::field::cache_control, "no-store");
  message.set("X-Content-Type-Options", "nosniff");
  if (response.status == 405) message.set(beast::field::allow, "GET, HEAD");
  message.body() = response.body;
  message.prepare_payload();
  message.set(beast::field::connection, keep_alive ? "keep-alive" : "close");
  std::ostringstream text;
  text << message.base();
  if (with_body) text << message.body();
  return text.str();
}

std::string reason_of(int status) { return std::string(beast::obsolete_reason(static_cast<beast::status>(status))); }

}  // namespace farshore::http
