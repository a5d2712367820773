// Trains the head of a very small language model, and what feeds it, on a text file: bytes are predicted from
// the four before them. Each step is one launch that gives the loss and all its gradients. First a few of
// those are compared with finite differences of the loss in double precision.
//
//   train_head FILE
#include <lathe/lathe.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace {

constexpr int kClasses = 256, kHidden = 64, kBehind = 4, kTokens = 512, kSteps = 300;
constexpr float kRate = 1.0f;
constexpr std::int64_t kIgnored = -100;

/// On the CPU device memory is the program's own.
using Floats = std::vector<float>;

Floats random_floats(std::size_t count, float deviation, std::mt19937& random) {
  std::normal_distribution<float> normal(0, deviation);
  Floats values(count);
  for (float& value : values) value = normal(random);
  return values;
}

struct Model {
  explicit Model(std::mt19937& random)
      : embeddings(random_floats(kBehind * kClasses * kHidden, 0.3f, random)),
        weight(random_floats(kClasses * kHidden, 0.1f, random)),
        bias(kClasses) {}

  Floats embeddings;  ///< [distance, byte, hidden]
  Floats weight;
  Floats bias;
};

/// Tokens of one step: what stands before each, and what it is.
struct Batch {
  std::vector<std::size_t> rows;  ///< of the embeddings, kBehind per token
  std::vector<std::int64_t> targets;
};

Batch draw(const std::string& text, std::mt19937& random) {
  std::uniform_int_distribution<std::size_t> place(0, text.size() - 1);
  Batch batch;
  for (int token = 0; token < kTokens; ++token) {
    const std::size_t at = place(random);
    for (std::size_t back = 0; back < kBehind; ++back) {
      const std::size_t byte = at > back ? static_cast<unsigned char>(text[at - back - 1]) : 0;
      batch.rows.push_back(back * kClasses + byte);
    }
    // The first bytes have too little before them to be learnt from.
    batch.targets.push_back(at < kBehind ? kIgnored : static_cast<unsigned char>(text[at]));
  }
  return batch;
}

Floats hidden_of(const Model& model, const Batch& batch) {
  Floats hidden(kTokens * kHidden);
  for (std::size_t i = 0; i < batch.rows.size(); ++i) {
    for (std::size_t h = 0; h < kHidden; ++h)
      hidden[i / kBehind * kHidden + h] += model.embeddings[batch.rows[i] * kHidden + h];
  }
  return hidden;
}

struct Step {
  float loss = 0;
  Floats d_hidden = Floats(kTokens * kHidden), d_weight = Floats(kClasses * kHidden),
         d_bias = Floats(kClasses);
};

class Head {
 public:
  explicit Head(lathe::Runtime& runtime)
      : kernel_(
            runtime
                .get(lathe::LinearCrossEntropySpec{
                    .hidden_size = kHidden, .vocab_size = kClasses, .dtype = lathe::f32, .has_bias = true})
                .value()) {
    workspace_ = runtime.allocate(kernel_.workspace_bytes({.tokens = kTokens}).value()).value();
  }

  Step loss_and_gradients(const Model& model, const Floats& hidden, const Batch& batch) const {
    Step step;
    lathe::LinearCrossEntropyArgs args;
    args.hidden = hidden.data();
    args.weight = model.weight.data();
    args.bias = model.bias.data();
    args.targets = batch.targets.data();
    args.loss = &step.loss;
    args.d_hidden = step.d_hidden.data();
    args.d_weight = step.d_weight.data();
    args.d_bias = step.d_bias.data();
    args.tokens = kTokens;
    args.workspace = workspace_.data();
    args.workspace_bytes = static_cast<lathe::Index>(workspace_.size());
    kernel_.launch(args, {}).value();
    return step;
  }

 private:
  lathe::KernelFor<lathe::LinearCrossEntropySpec> kernel_;
  lathe::Buffer workspace_;
};

void descend(Floats& values, const Floats& gradient) {
  for (std::size_t i = 0; i < values.size(); ++i) values[i] -= kRate * gradient[i];
}

void learn(Model& model, const Step& step, const Batch& batch) {
  descend(model.weight, step.d_weight);
  descend(model.bias, step.d_bias);
  for (std::size_t i = 0; i < batch.rows.size(); ++i) {
    for (std::size_t h = 0; h < kHidden; ++h)
      model.embeddings[batch.rows[i] * kHidden + h] -= kRate * step.d_hidden[i / kBehind * kHidden + h];
  }
}

/// The mean loss in double precision, written down from its definition.
double loss_of(const std::vector<double>& hidden, const std::vector<double>& weight, const Floats& bias,
               const Batch& batch) {
  double sum = 0;
  int count = 0;
  for (std::size_t token = 0; token < kTokens; ++token) {
    if (batch.targets[token] == kIgnored) continue;
    double total = 0, of_target = 0;
    for (std::size_t c = 0; c < kClasses; ++c) {
      double logit = static_cast<double>(bias[c]);
      for (std::size_t h = 0; h < kHidden; ++h)
        logit += hidden[token * kHidden + h] * weight[c * kHidden + h];
      total += std::exp(logit);
      if (static_cast<std::int64_t>(c) == batch.targets[token]) of_target = logit;
    }
    sum += std::log(total) - of_target;
    ++count;
  }
  return sum / count;
}

/// The largest difference between a few of the kernel's gradients and finite differences, in parts of the
/// largest gradient.
double gradient_error(const Model& model, const Floats& hidden, const Batch& batch, const Step& step,
                      std::mt19937& random) {
  constexpr double kStep = 1e-4;
  std::vector<double> x(hidden.begin(), hidden.end()), w(model.weight.begin(), model.weight.end());
  double error = 0;
  const auto compare = [&](std::vector<double>& values, const Floats& gradient) {
    const float largest = std::abs(*std::max_element(
        gradient.begin(), gradient.end(), [](float a, float b) { return std::abs(a) < std::abs(b); }));
    std::uniform_int_distribution<std::size_t> any(0, values.size() - 1);
    for (int i = 0; i < 8; ++i) {
      const std::size_t at = any(random);
      const double value = values[at];
      values[at] = value + kStep;
      const double above = loss_of(x, w, model.bias, batch);
      values[at] = value - kStep;
      const double below = loss_of(x, w, model.bias, batch);
      values[at] = value;
      const double difference = (above - below) / (2 * kStep) - static_cast<double>(gradient[at]);
      error = std::max(error, std::abs(difference) / static_cast<double>(largest));
    }
  };
  compare(x, step.d_hidden);
  compare(w, step.d_weight);
  return error;
}

int train(lathe::Runtime& runtime, const std::string& text) {
  std::mt19937 random(1);
  Model model(random);
  const Head head(runtime);
  {
    const Batch batch = draw(text, random);
    const Floats hidden = hidden_of(model, batch);
    const Step step = head.loss_and_gradients(model, hidden, batch);
    const double error = gradient_error(model, hidden, batch, step, random);
    std::printf("gradients differ from finite differences by %.1e of the largest\n", error);
    if (!(error < 1e-4)) return 1;
  }
  float first = 0, last = 0;
  for (int i = 0; i < kSteps; ++i) {
    const Batch batch = draw(text, random);
    const Step step = head.loss_and_gradients(model, hidden_of(model, batch), batch);
    learn(model, step, batch);
    if (i == 0) first = step.loss;
    last = step.loss;
    if (i % 50 == 0 || i + 1 == kSteps)
      std::printf("step %3d: %.3f nats per byte\n", i, static_cast<double>(step.loss));
  }
  return last < 0.6f * first ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::puts("usage: train_head FILE");
    return 1;
  }
  std::ifstream file(arguments[1], std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (text.empty()) {
    std::printf("%s: cannot be read, or is empty\n", arguments[1]);
    return 1;
  }
  try {
    lathe::Options options;
    options.target = lathe::Target::parse("cpu").value();
    auto runtime = lathe::Runtime::open(options).value();
    if (!runtime.has_device()) {
      std::puts("skipped: no CPU executor in this build");
      return 77;
    }
    return train(runtime, text);
  } catch (const lathe::BadResult& failure) {
    std::puts(failure.what());
    return 1;
  }
}
