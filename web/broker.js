/* broker.js - settings of the broker that are more than one input each. */
import {Field} from "./field.js";

/* Whether the connection will be encrypted is what the choice is about: "tls", "plain", or "" while the URL is none. */
export class BrokerField extends Field {
  /* The rule of the gateway: mqtts, or mqtt with port 8883, means TLS. */
  get choice() {
    const [, scheme, port] = /^(mqtts?):\/\/[^/]+?(?::(\d+))?\/?$/i.exec(this.value) ?? [];
    if (!scheme) return "";
    return scheme.toLowerCase() === "mqtts" || port === "8883" ? "tls" : "plain";
  }
}

const PIN = /^sha256:/i;

/* Who vouches for the broker: radio buttons, of which two have a text of their own, with their value as its id. */
export class TrustField extends Field {
  get choice() {
    return this.inputs.find((input) => input.checked)?.value ?? "system";
  }

  /* The text of the choice, if it has one. */
  get text() {
    return this.inputs.find((input) => input.id === this.choice);
  }

  get bearer() {
    return this.text ?? super.bearer;
  }

  get value() {
    const text = this.text?.value ?? "";
    return this.choice !== "pin" || PIN.test(text) || !text ? text : `sha256:${text}`;
  }

  set value(value) {
    const choice = !value ? "system" : PIN.test(value) ? "pin" : "ca";
    for (const input of this.inputs) {
      if (input.type === "radio") input.checked = input.value === choice;
      else input.value = input.id === choice ? value : "";
    }
  }

  get fault() {
    return this.text?.value.trim() === "" ? "fillIn" : null;
  }

  /* Nothing at all would be the system's authorities: a choice that lacks its text is not those. */
  get changed() {
    return super.changed || (this.saved !== undefined && !this.hidden && this.fault !== null);
  }
}
