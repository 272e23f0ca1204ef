// Amounts of money as the ledger has them: whole billionths of a dollar, so that sums are exact.

const DIGITS = 9;

/** Billionths of a decimal text. @param {string} usd */
export function toNano(usd) {
  const [, sign, whole, part = ""] = /^(-?)(\d+)(?:\.(\d+))?/.exec(plain(usd)) ?? ["", "", "0", "0"];
  const nano = BigInt(whole) * 10n ** BigInt(DIGITS) + BigInt(part.slice(0, DIGITS).padEnd(DIGITS, "0"));
  return sign ? -nano : nano;
}

/** A small amount comes as `1E-9`. @param {string} usd */
function plain(usd) {
  return /e/i.test(usd) ? Number(usd).toFixed(DIGITS) : usd;
}

/** @param {bigint} nano */
export function dollars(nano) {
  const text = String(nano < 0n ? -nano : nano).padStart(DIGITS + 1, "0");
  const part = text.slice(-DIGITS).replace(/0+$/, "");
  const shown = part && part.length < 2 ? part.padEnd(2, "0") : part;
  return `${nano < 0n ? "-" : ""}${BigInt(text.slice(0, -DIGITS)).toLocaleString()}${shown && `.${shown}`} USD`;
}
