// Which words of a query are bold in what was found.

/** Words of three letters and more that say nothing of what is asked for. */
const FUNCTION_WORDS = new Set(
  [
    "about above after all and any are because been before being between both but can could did does doing during each few from for",
    "had has have having her here hers him his how into its itself may might more most must nor not off once only other our ours out",
    "over own same shall she should some such than that the their them then there these they this those through too under until very",
    "was were what when where which while who whom whose why will with would you your yours",
    "aber als auch auf aus bei beim bis das dass dem den der des die doch durch ein eine einem einen einer eines für hat hatte ich ihr",
    "ihre ist kann man mein mit muss nach nicht noch nur oder sein seine sich sie sind soll über und uns unter vom von vor war wann",
    "warum welche welchem welchen welcher welches wenn wer werden wie wird wir zum zur",
    "aux avec ces cette comme dans des donc elle est être leur leurs les mais même nos notre nous par pas pour quand que quel quelle",
    "quelles quels qui quoi sans ses son sont sur tout une vos votre vous",
    "como con cómo cuál cuándo del desde dónde ella ellos entre era esta este esto las los más muy para pero por porque qué quién ser",
    "sin sobre sus uno unos alla alle anche che chi come cosa dal dalla degli dei della delle gli nel nella non per perché più quale",
    "quali quando quanto sono sua suo sul sulla tra aan bij dan dat deze dit door een geen heeft het hij hoe hun maar met naar niet",
    "nog ook ons onze tot uit van veel voor waar waarom wanneer wat welke wie worden wordt zal zijn",
  ].flatMap((line) => line.split(" ")),
);

/** @param {string} query @returns {Set<string>} */
export function emphasised(query) {
  const words = query.toLowerCase().match(/[\p{L}\p{N}]{3,}/gu) ?? [];
  return new Set(words.filter((word) => !FUNCTION_WORDS.has(word)));
}
