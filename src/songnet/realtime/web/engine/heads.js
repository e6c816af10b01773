// Heads on embeddings, as in `songnet.models.heads`.

import { Linear, relu, softmax } from "./layers.js";

const KINDS = { logistic_regression: linearScores, mlp: mlpScores, svm: svmScores };

/**
 * Build a head.
 *
 * @param {string} kind
 * @param {number} genres
 * @param {(name: string) => Float32Array} tensor the weights, by name.
 * @returns {(embedding: Float32Array) => Float32Array} maps an embedding to probabilities.
 */
export function makeHead(kind, genres, tensor) {
  const scores = KINDS[kind](genres, tensor);
  const [mean, std, [temperature]] = ["mean", "std", "temperature"].map(tensor);
  return (embedding) => {
    const standard = embedding.map((value, i) => (value - mean[i]) / std[i]);
    return softmax(scores(standard).map((score) => score / temperature));
  };
}

function linearScores(genres, tensor) {
  return layer(tensor, "output");
}

function mlpScores(genres, tensor) {
  const [hidden, output] = [layer(tensor, "hidden"), layer(tensor, "output")];
  return (x) => output(relu(hidden(x)));
}

/** Votes of the pairs of genres, with confidences that break ties; two genres need no votes. */
function svmScores(genres, tensor) {
  const [supports, [gamma]] = ["supports", "gamma"].map(tensor);
  const pairs = layer(tensor, "pairs");
  return (x) => {
    const kernel = Float32Array.from({ length: supports.length / x.length }, (_, row) => {
      let distance = 0;
      for (let i = 0; i < x.length; i++) distance += (x[i] - supports[row * x.length + i]) ** 2;
      return Math.exp(-gamma * distance);
    });
    const decisions = pairs(kernel);
    if (genres === 2) return Float32Array.of(decisions[0] / 2, -decisions[0] / 2);
    const votes = new Float32Array(genres), confidences = new Float32Array(genres);
    let pair = 0;
    for (let first = 0; first < genres; first++) {
      for (let second = first + 1; second < genres; second++, pair++) {
        const decision = decisions[pair];
        votes[first] += (1 + Math.sign(decision)) / 2;
        votes[second] += (1 - Math.sign(decision)) / 2;
        confidences[first] += decision;
        confidences[second] -= decision;
      }
    }
    return votes.map((vote, i) => vote + confidences[i] / (3 * (Math.abs(confidences[i]) + 1)));
  };
}

function layer(tensor, name) {
  const map = new Linear(tensor(`${name}.weight`), tensor(`${name}.bias`));
  return (x) => map.apply(x, new Float32Array(map.rows));
}
