// Gathered: questions about many partitions, each asked by a coroutine of its own, travel together. All that one turn
// of the event loop asks of one broker make one round (at most `round_max` questions); each gets its own answer. Rounds
// of different brokers do not wait for each other. Executor: the Env's. Owner: whoever owns the gate; it closes the
// gate before this goes.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/env.h"
#include "base/gate.h"

namespace farshore::replicator {

template <class Question, class Answer>
class Gathered {
 public:
  // One answer for each question, in their order. It ends by itself: it has its own deadline.
  using Answers = std::vector<Result<Answer>>;
  using Ask = std::function<Task<Answers>(int32_t broker, std::vector<Question>)>;

  Gathered(Env& env, Gate& gate, size_t round_max, Ask ask)
      : env_(env), gate_(gate), round_max_(round_max), ask_(std::move(ask)) {}

  Task<Result<Answer>> ask(int32_t broker, Question question, Deadline deadline) {
    std::shared_ptr<Round>& open = open_[broker];
    if (!open) {
      open = std::make_shared<Round>(env_);
      if (!spawn(gate_, "gathered questions", carry_out(broker, open))) {
        open_.erase(broker);
        co_return Error(ErrorCode::kClosed);
      }
    }
    const std::shared_ptr<Round> mine = open;
    const size_t index = mine->questions.size();
    mine->questions.push_back(std::move(question));
    if (mine->questions.size() >= round_max_) open_.erase(broker);
    CO_CHECK(co_await mine->answered.wait(deadline));
    co_return std::move(mine->answers[index]);
  }

 private:
  struct Round {
    explicit Round(Reactor& reactor) : answered(reactor) {}
    std::vector<Question> questions;
    Answers answers;
    Event answered;
  };

  Task<void> carry_out(int32_t broker, std::shared_ptr<Round> round) {
    co_await env_.sleep(Duration::zero());  // the others of this turn
    auto open = open_.find(broker);
    if (open != open_.end() && open->second == round) open_.erase(open);
    const size_t asked = round->questions.size();
    std::vector<Question> questions = std::move(round->questions);
    round->answers = co_await ask_(broker, std::move(questions));
    ensure(round->answers.size() == asked, "each question has its answer");
    round->answered.set();
  }

  Env& env_;
  Gate& gate_;
  const size_t round_max_;
  const Ask ask_;
  std::map<int32_t, std::shared_ptr<Round>> open_;  // by broker: still takes questions
};

}  // namespace farshore::replicator
