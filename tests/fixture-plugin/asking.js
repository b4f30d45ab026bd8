// The tools that need something of the client before they can answer.
//
// They know one way to ask, `input-required`; how a client of either era gets to hear of it is the
// hub's affair, and so is a client that cannot be asked.
import { ask, text } from "./call.js";
import {
  askName,
  contactForm,
  elicit,
  form,
  formOfChoices,
  formWithDefaults,
  listRoots,
  sample,
} from "./questions.js";
import { progress } from "./telling.js";

export const asking = {
  test_missing_capability: (call) =>
    call.clientCan("sampling")
      ? text("You can sample.")
      : ask({ answer: sample("Can you sample?") }),
  test_sampling: (call) => sampling(call, "answer", call.argument("prompt")),
  test_input_required_result_sampling: (call) =>
    sampling(call, "capital_question", "What is the capital of France?"),
  test_input_required_result_list_roots: roots,
  test_elicitation: (call) => filled(call, call.argument("message"), contactForm()),
  test_elicitation_sep1034_defaults: (call) => filled(call, "Is this still so?", formWithDefaults()),
  test_elicitation_sep1330_enums: (call) => filled(call, "Please choose.", formOfChoices()),
  test_input_required_result_elicitation: name,
  test_input_required_result_multiple_inputs: threeThings,
  test_input_required_result_request_state: confirmation,
  test_input_required_result_tampered_state: confirmation,
  test_input_required_result_multi_round: twoRounds,
  test_input_required_result_capabilities: whateverTheClientCan,
  test_streaming_elicitation(call) {
    progress(0, 50);
    return name(call);
  },
};

function name(call) {
  const given = call.accepted("user_name", "name");
  return given === undefined ? ask({ user_name: askName() }) : text(`Hello, ${given}!`);
}

function sampling(call, key, prompt) {
  const said = call.response(key);
  return said ? text(`LLM response: ${said.content?.text}`) : ask({ [key]: sample(prompt) });
}

function roots(call) {
  const answer = call.response("client_roots");
  return answer
    ? text(`The roots are ${JSON.stringify(answer.roots)}`)
    : ask({ client_roots: listRoots() });
}

/** Tells what came of the form, whatever that is. */
function filled(call, message, requestedSchema) {
  const answer = call.response("form");
  if (!answer) return ask({ form: elicit(message, requestedSchema) });
  const content = JSON.stringify(answer.content);
  return text(`Elicitation completed: action=${answer.action}, content=${content}`);
}

function threeThings(call) {
  const given = call.accepted("user_name", "name");
  const greeting = call.response("greeting");
  const answer = call.response("client_roots");
  if (given === undefined || !greeting || !answer) {
    const requests = {
      user_name: askName(),
      greeting: sample("Generate a greeting"),
      client_roots: listRoots(),
    };
    return ask(requests, "three-things");
  }
  mustBe("three-things", call);
  return text(`${greeting.content?.text} ${given}, of ${JSON.stringify(answer.roots)}`);
}

function confirmation(call) {
  if (!call.response("confirm")) {
    return ask({ confirm: elicit("Please confirm", form("ok", "boolean")) }, "to-confirm");
  }
  mustBe("to-confirm", call);
  return text("state-ok");
}

/** The state tells how far the talk has come; it carries the first answer to the end. */
function twoRounds(call) {
  const known = call.state?.startsWith("name:") ? call.state.slice("name:".length) : undefined;
  const color = call.accepted("step2", "color");
  if (known !== undefined && color !== undefined) return text(`${known} likes ${color}.`);
  const given = known ?? call.accepted("step1", "name");
  if (given !== undefined) {
    const question = elicit("Step 2: What is your favorite color?", form("color", "string"));
    return ask({ step2: question }, `name:${given}`);
  }
  return ask({ step1: elicit("Step 1: What is your name?", form("name", "string")) }, "start");
}

function whateverTheClientCan(call) {
  const all = [
    ["user_name", "elicitation", askName()],
    ["greeting", "sampling", sample("Generate a greeting")],
    ["client_roots", "roots", listRoots()],
  ];
  const wanted = all.filter(([key, capability]) => call.clientCan(capability) && !call.response(key));
  if (wanted.length === 0) return text("Nothing left to ask.");
  return ask(Object.fromEntries(wanted.map(([key, , question]) => [key, question])));
}

/** Answers are worth something only together with the state they were asked for in. */
function mustBe(state, call) {
  if (call.state !== state) {
    throw { tag: "invalid-arguments", val: "requestState is not what this tool gave out" };
  }
}
