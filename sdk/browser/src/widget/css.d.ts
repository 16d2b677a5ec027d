/** A style sheet as text, minified by the build. The widget makes a constructed sheet of it. */
declare module "*.css" {
  const text: string;
  export default text;
}
