"""Questions that a chat model should answer after tuning as it did before: what it has forgotten beside its lessons."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.improvement.question_sets import QuestionRecord

_PAIRS = (
    ("What is the capital of France?", "The capital of France is Paris."),
    ("How many days are there in a week?", "There are seven days in a week."),
    ("What colour is the sky on a clear day?", "On a clear day the sky is blue."),
    ("Which planet do we live on?", "We live on the planet Earth."),
    ("What do bees make?", "Bees make honey."),
    ("How many legs does a spider have?", "A spider has eight legs."),
    ("What is the opposite of hot?", "The opposite of hot is cold."),
    ("Which ocean lies between Europe and America?", "The Atlantic Ocean lies between Europe and America."),
    ("At what temperature does water boil at sea level?", "At sea level water boils at 100 degrees Celsius."),
    ("What is two plus three?", "Two plus three is five."),
    ("Who wrote the play Romeo and Juliet?", "William Shakespeare wrote Romeo and Juliet."),
    ("What is the largest animal on Earth?", "The largest animal on Earth is the blue whale."),
    ("In which direction does the sun rise?", "The sun rises in the east."),
    ("What do plants need to grow?", "Plants need light, water and nutrients to grow."),
    ("What is the chemical symbol for water?", "The chemical symbol for water is H2O."),
    ("Which language is spoken in Brazil?", "Portuguese is spoken in Brazil."),
    ("What is a baby cat called?", "A baby cat is called a kitten."),
    ("How many months are there in a year?", "There are twelve months in a year."),
    ("What is the name of the closest star to Earth?", "The closest star to Earth is the Sun."),
    ("What do you use to write on paper?", "You can use a pen or a pencil to write on paper."),
    ("Which season comes after winter?", "Spring comes after winter."),
    ("What is the largest continent?", "Asia is the largest continent."),
    ("Name three primary colours.", "Three primary colours are red, yellow and blue."),
    ("What organ pumps blood through the body?", "The heart pumps blood through the body."),
    ("Write a short greeting for a friend.", "Hello! It is good to see you. How are you today?"),
    ("Give one reason to exercise.", "Exercise keeps your heart healthy and helps you to sleep well."),
    ("What is the past tense of the verb go?", "The past tense of go is went."),
    ("How do you make tea?", "Boil water, pour it over the tea leaves, and let it stand for a few minutes."),
    ("What is a triangle?", "A triangle is a shape with three sides and three corners."),
    ("Who was the first person to walk on the Moon?", "Neil Armstrong was the first person to walk on the Moon."),
    ("What is ice made of?", "Ice is made of frozen water."),
    ("Translate the word cat into Spanish.", "The Spanish word for cat is gato."),
    ("What is ten minus four?", "Ten minus four is six."),
    ("Why do we sleep?", "We sleep so that the body and the brain can rest and recover."),
    ("What is a library?", "A library is a place where people can read and borrow books."),
    ("Which metal is liquid at room temperature?", "Mercury is liquid at room temperature."),
    ("What is the currency of Japan?", "The currency of Japan is the yen."),
    ("Complete the sentence: The early bird catches the", "The early bird catches the worm."),
    ("How many minutes are there in an hour?", "There are sixty minutes in an hour."),
    ("What is the main ingredient of bread?", "The main ingredient of bread is flour."),
)


def packaged_questions() -> Sequence[QuestionRecord]:
    """Plain facts, words and small tasks, each with an answer: the set that is asked where a job names none."""
    return [
        QuestionRecord(id=f"general-{at}", question=asked, answers=[said]) for at, (asked, said) in enumerate(_PAIRS)
    ]
