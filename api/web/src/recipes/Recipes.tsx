import { ChefHat } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { Page } from "../app/Page";
import { QueryProblem } from "../problems/QueryProblem";
import { Button } from "../ui/Button";
import { Empty } from "../ui/Empty";
import { useServed } from "../work/served";
import { WorkflowList } from "../workflows/WorkflowList";
import { canBeDone, type Recipe } from "./params";
import { RecipeForm } from "./RecipeForm";
import styles from "./Recipes.module.css";
import { t } from "./strings";
import { useRecipes } from "./useRecipes";

/** All recipes that can be done here, the form of the chosen one, and the workflows that came of them. */
export default function Recipes() {
  const recipes = useRecipes();
  const served = useServed();
  const [chosen, setChosen] = useState<string | null>(null);
  const offered = served && recipes.data?.filter((recipe) => canBeDone(recipe, served));
  const recipe = offered?.find((one) => one.name === chosen);
  return (
    <Page title={t("title")} lead={t("lead")}>
      <div className={styles.page}>
        {recipes.isError ? <QueryProblem error={recipes.error} onRetry={() => void recipes.refetch()} /> : null}
        {offered?.length === 0 ? (
          <Empty icon={<ChefHat />} title={t("none")}>
            <p>{t("none.words")}</p>
          </Empty>
        ) : null}
        <ul className={styles.cards}>
          {offered?.map((one) => (
            <RecipeCard key={one.name} recipe={one} chosen={one.name === chosen} onChoose={() => setChosen(one.name)} />
          ))}
        </ul>
        {recipe ? <Asked key={recipe.name} recipe={recipe} /> : null}
        <section className={styles.yours} aria-label={t("yours")}>
          <h2>{t("yours")}</h2>
          <WorkflowList />
        </section>
      </div>
    </Page>
  );
}

interface CardProps {
  recipe: Recipe;
  chosen: boolean;
  onChoose: () => void;
}

function RecipeCard({ recipe, chosen, onChoose }: CardProps) {
  const steps = recipe.steps.map((step) => String(step.do)).join(" → ");
  return (
    <li className={styles.card} data-chosen={chosen || undefined}>
      <h2 id={`recipe-${recipe.name}`}>{recipe.title}</h2>
      <p>{recipe.summary}</p>
      <p className={styles.help}>{t("steps", { steps })}</p>
      <Button aria-pressed={chosen} aria-describedby={`recipe-${recipe.name}`} onClick={onChoose}>
        {t(chosen ? "chosen" : "choose")}
      </Button>
    </li>
  );
}

/** The form, which its reader is led to. */
function Asked({ recipe }: { recipe: Recipe }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => place.current?.focus(), []);
  return (
    <div ref={place} tabIndex={-1} className={styles.asked}>
      <RecipeForm recipe={recipe} />
    </div>
  );
}
